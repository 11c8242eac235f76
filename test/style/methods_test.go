package style_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// most is how many methods a type of a verb may have.
const most = 25

// verbs are the packages that hold the verbs.
func verbs() []string {
	return []string{"authcode", "extension", "issue", "operator", "renewal"}
}

// A type with more methods is a process that hides as an object: its steps and
// their results belong into values.
func TestNoTypeOfAVerbHasTooManyMethods(t *testing.T) {
	found := map[string]int{}
	for _, verb := range verbs() {
		counts := map[string]int{}
		methods(t, filepath.Join(root, "internal", verb), func(receiver string) { counts[verb+"."+receiver]++ })
		if len(counts) == 0 {
			t.Errorf("no methods in %s", verb)
		}
		for name, n := range counts {
			if n > most {
				found[name] = n
			}
		}
	}
	compare(t, "methods.txt", found, func(string) string { return "methods; split the type" })
}

// methods calls f with the receiver's type of each method in a folder's product
// files.
func methods(t *testing.T, folder string, f func(receiver string)) {
	t.Helper()
	product := func(i fs.FileInfo) bool { return !strings.HasSuffix(i.Name(), "_test.go") }
	all, err := parser.ParseDir(token.NewFileSet(), folder, product, parser.SkipObjectResolution) //nolint:staticcheck // no build constraints here
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		for _, file := range p.Files {
			for _, d := range file.Decls {
				if d, ok := d.(*ast.FuncDecl); ok && d.Recv != nil {
					f(receiver(d.Recv.List[0].Type))
				}
			}
		}
	}
}

// receiver is the name of a receiver's type.
func receiver(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return receiver(e.X)
	case *ast.IndexExpr:
		return receiver(e.X)
	case *ast.Ident:
		return e.Name
	}
	return ""
}
