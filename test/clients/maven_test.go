package clients

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/reltio-tokens/reltio-tokens/internal/testkit/engines"
)

// consumer is the pom.xml of an empty folder.
const consumer = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>example</groupId>
  <artifactId>entity</artifactId>
  <version>1</version>
  <properties>
    <maven.compiler.release>17</maven.compiler.release>
    <project.build.sourceEncoding>UTF-8</project.build.sourceEncoding>
  </properties>
  <dependencies>
    <dependency>
      <groupId>com.reltiotokens</groupId>
      <artifactId>reltio-tokens</artifactId>
      <version>%s</version>
    </dependency>
  </dependencies>
  <build>
    <plugins>
      <plugin>
        <artifactId>maven-compiler-plugin</artifactId>
        <version>3.14.0</version>
      </plugin>
    </plugins>
  </build>
</project>
`

// byMaven builds a program in an empty folder with Maven, which finds the package
// as it is published: the jar and its pom.xml. The rest comes from the repository
// of the machine, which does not get the package.
func byMaven(t testing.TB, program string) []string {
	t.Helper()
	_ = java(t, "") // skips where there is no JDK or no Maven
	version := strings.TrimSpace(read(t, "clients/VERSION"))
	repository := repositoryWith(t, version, filepath.Join(engines.Tool(t, "packages", "PACKAGE_JAVA"), "dist"))
	dir := t.TempDir()
	write(t, filepath.Join(dir, "pom.xml"), fmt.Sprintf(consumer, version))
	write(t, filepath.Join(dir, "src", "main", "java", program), read(t, "test/clients/testdata/"+program))
	cmd := exec.CommandContext(t.Context(), "mvn", "--quiet", "--batch-mode", "--offline", "-Dmaven.repo.local="+repository, "compile", "dependency:copy-dependencies")
	cmd.Dir = dir
	if output, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("mvn: %v\n%s", err, output)
	}
	path := filepath.Join(dir, "target", "classes") + string(os.PathListSeparator) + filepath.Join(dir, "target", "dependency", "*")
	return []string{"java", "-cp", path, strings.TrimSuffix(program, ".java")}
}

// repositoryWith is a repository of Maven that has the package, and links to all
// that the machine's own has.
func repositoryWith(t testing.TB, version, dist string) string {
	t.Helper()
	home, err := os.UserHomeDir()
	if err != nil {
		t.Fatal(err)
	}
	machine, made := filepath.Join(home, ".m2", "repository"), t.TempDir()
	link(t, machine, made, "com")
	link(t, filepath.Join(machine, "com"), filepath.Join(made, "com"), "reltiotokens")
	name := "reltio-tokens-" + version
	dir := filepath.Join(made, "com", "reltiotokens", "reltio-tokens", version)
	write(t, filepath.Join(dir, name+".pom"), strings.ReplaceAll(read(t, "clients/java/pom.xml"), "${revision}", version))
	jar, err := os.ReadFile(filepath.Join(dist, name+".jar"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, name+".jar"), string(jar))
	return made
}

// link links what a folder has in another, except one name.
func link(t testing.TB, from, to, except string) {
	t.Helper()
	if err := os.MkdirAll(to, 0o755); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(from)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() == except {
			continue
		}
		if err := os.Symlink(filepath.Join(from, e.Name()), filepath.Join(to, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
}

// read is a file of the repository.
func read(t testing.TB, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
