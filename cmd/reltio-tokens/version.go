package main

import (
	"fmt"
	"runtime/debug"
)

type versionCommand struct {
	JSON bool `name:"json" help:"Print JSON."`
}

// alone implements lonely.
func (*versionCommand) alone() {}

// build is what the Go toolchain wrote into the command.
type build struct {
	// Version is the module's version; "(devel)" for a build of a clone.
	Version string `json:"version"`
	// Commit is empty if the build had no repository; Modified says that the clone
	// had changes.
	Commit   string `json:"commit"`
	Modified bool   `json:"modified"`
	Time     string `json:"time"`
	Go       string `json:"go"`
}

// Run prints which command this is.
func (c *versionCommand) Run(s *screen) error {
	b := built(debug.ReadBuildInfo())
	if c.JSON {
		return s.json(b)
	}
	commit := b.Commit
	switch {
	case commit == "":
		commit = "unknown"
	case b.Modified:
		commit += ", with changes"
	}
	fmt.Fprintf(&s.out, "reltio-tokens %s\n  commit  %s\n  go      %s\n", b.Version, commit, b.Go)
	return nil
}

// built reads a build's information.
func built(info *debug.BuildInfo, ok bool) build {
	if !ok {
		return build{Version: "unknown"}
	}
	b := build{Version: info.Main.Version, Go: info.GoVersion}
	for _, setting := range info.Settings {
		switch setting.Key {
		case "vcs.revision":
			b.Commit = setting.Value
		case "vcs.modified":
			b.Modified = setting.Value == "true"
		case "vcs.time":
			b.Time = setting.Value
		}
	}
	return b
}
