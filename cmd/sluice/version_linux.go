package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"

	"golang.org/x/sys/unix"

	"sluice/redir"
	"sluice/redir/doctor"
)

// versionCmd is `sluice version`.
type versionCmd struct {
	JSON bool `name:"json" env:"-" help:"Print JSON."`
}

// programInfo is what this program is, and what it runs on.
type programInfo struct {
	Version  string           `json:"version"`
	Commit   string           `json:"commit,omitempty"`
	Time     string           `json:"time,omitempty"` // of the commit, RFC 3339
	Modified bool             `json:"modified"`       // it was built from more than the commit
	Go       string           `json:"go"`
	OS       string           `json:"os"`
	Arch     string           `json:"arch"`
	Kernel   string           `json:"kernel"`
	Engine   string           `json:"engine"`   // that --engine auto would be
	Features []doctor.Feature `json:"features"` // of the kernel, as far as anybody may ask
}

// release is set by the linker (Makefile).
var release string

// version is the name and the version: that of the linker, else what Go knows.
func version() string { return "sluice " + thisProgram().Version }

func thisProgram() programInfo {
	b := programInfo{Version: release, Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	if b.Version == "" {
		b.Version = info.Main.Version
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Commit = s.Value
		case "vcs.time":
			b.Time = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	return b
}

// Run prints what this is.
func (c *versionCmd) Run() error {
	b := thisProgram()
	b.Engine, b.Features = redir.BestEngine().String(), doctor.Features()
	var name unix.Utsname
	if unix.Uname(&name) == nil {
		b.Kernel = unix.ByteSliceToString(name.Release[:])
	}
	if c.JSON {
		return writeJSON(os.Stdout, b)
	}
	_, err := os.Stdout.WriteString(b.String())
	return err
}

// String is for people.
func (b programInfo) String() string {
	var s strings.Builder
	fmt.Fprintf(&s, "sluice %s\n", b.Version)
	if b.Commit != "" {
		modified := ""
		if b.Modified {
			modified = ", modified"
		}
		fmt.Fprintf(&s, "commit   %.12s of %s%s\n", b.Commit, b.Time, modified)
	}
	fmt.Fprintf(&s, "built    by %s for %s/%s\n", b.Go, b.OS, b.Arch)
	fmt.Fprintf(&s, "kernel   %s\n", b.Kernel)
	fmt.Fprintf(&s, "engine   %s\n", b.Engine)
	for _, f := range b.Features {
		state := "yes"
		if !f.Has {
			state = "no: " + f.Why
		}
		fmt.Fprintf(&s, "%-24s %s\n", f.Name, state)
	}
	return s.String()
}
