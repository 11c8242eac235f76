package main

import (
	"context"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
	"time"
)

// What may follow is asked of the command: commands, flags, names of connections.
func TestCompletion(t *testing.T) {
	c := onLocalStack(t)
	local := c.flags[0]
	c.flags = nil
	for name, test := range map[string]struct {
		words []string
		want  string
	}{
		"commands":             {[]string{"sta"}, "status\n"},
		"all commands":         {nil, "status\nissue\n"},
		"after a flag":         {[]string{local, "unp"}, "unpause\n"},
		"names":                {[]string{local, "check", "demo-p"}, "demo-password\n"},
		"names, flag after":    {[]string{"check", local, "demo-c"}, "demo-client-credentials\n"},
		"names of many":        {[]string{local, "status", "demo-password", "demo-c"}, "demo-client-credentials\n"},
		"a flag of its own":    {[]string{local, "rotate", "--fo"}, "--force\n"},
		"a flag of all":        {[]string{"rotate", "--sta"}, "--stack\n"},
		"names to withdraw":    {[]string{local, "invitations", "--withdraw", "demo-a"}, "demo-authorization-code\n"},
		"shells":               {[]string{"completion", "f"}, "fish\n"},
		"a new name":           {[]string{local, "add", "demo-p"}, ""},
		"an installation away": {[]string{"--local=http://127.0.0.1:1", "check", "demo-p"}, ""},
		"none named":           {[]string{"check", "demo-p"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			c.t = t
			got := c.run(append([]string{"__complete"}, test.words...)...)
			if got.code != 0 || got.err != "" || !strings.HasPrefix(got.out, test.want) || test.want == "" && got.out != "" {
				t.Errorf("%d: %q, %q; want %q", got.code, got.out, got.err, test.want)
			}
		})
	}
	c.t = t
	c.expect(0, `compdef _reltio_tokens reltio-tokens\n$`, "", "completion", "zsh")
	c.expect(0, `^complete -c reltio-tokens `, "", "completion", "fish")
	c.expect(2, "", `must be one of "bash","zsh","fish"`, "completion", "csh")
	inBash(t, c, "reltio-tokens "+local+" check demo-p", "demo-password")
	inBash(t, c, "reltio-tokens res", "resume")
}

// inBash has the script complete a line.
func inBash(t *testing.T, c command, line, want string) {
	t.Helper()
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Log("bash is not here: its script was not run")
		return
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	process := exec.CommandContext(ctx, bash, "-c", c.run("completion", "bash").out+`
COMP_LINE=$LINE COMP_POINT=${#LINE}
_reltio_tokens
printf '%s,' "${COMPREPLY[@]}"`)
	process.Env = []string{"PATH=" + filepath.Dir(binary), "LINE=" + line}
	out, err := process.CombinedOutput()
	if got := string(out); err != nil || got != want+"," {
		t.Errorf("%q: %q, %v; want %q", line, got, err, want)
	}
}

func TestVersion(t *testing.T) {
	c := command{t: t, env: []string{"RELTIO_TOKENS_STACK=mine"}} // which it does not ask
	c.expect(0, `^reltio-tokens \S+\n  commit  .+\n  go      go1\.\S+\n$`, "", "version")
	var b build
	if err := json.Unmarshal([]byte(c.run("version", "--json").out), &b); err != nil || b.Go == "" {
		t.Errorf("%+v, %v", b, err)
	}
	b = built(&debug.BuildInfo{GoVersion: "go1.26", Main: debug.Module{Version: "v1.2.3"}, Settings: []debug.BuildSetting{
		{Key: "vcs.revision", Value: "abc"}, {Key: "vcs.modified", Value: "true"}, {Key: "vcs.time", Value: "2026-11-23T17:00:00Z"},
	}}, true)
	if want := (build{Version: "v1.2.3", Commit: "abc", Modified: true, Time: "2026-11-23T17:00:00Z", Go: "go1.26"}); b != want {
		t.Errorf("%+v, want %+v", b, want)
	}
}
