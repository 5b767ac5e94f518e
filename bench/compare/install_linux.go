package compare

import (
	"context"
	"debug/buildinfo"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"sluice/bench/lab"
)

// debian are the programs that apt can install.
func debian() []string {
	return []string{"haproxy", "nginx", "redsocks", "wrk", "iperf3", "nft", "ip", "nsenter"}
}

// origin says how a program that is not installed is got.
func origin(program string) string {
	if slices.Contains(debian(), program) {
		return "--install does it; or on Debian and Ubuntu: apt-get install " + lab.Package(program)
	}
	for _, m := range modules() {
		if m.program == program {
			return fmt.Sprintf("--install builds it (go install %s)", m.path)
		}
	}
	if program == hevKind {
		return "Debian has no package of it: build it from https://github.com/heiher/hev-socks5-tproxy and put it into PATH or --peer-dir"
	}
	return "put it into PATH or --peer-dir"
}

// moduleHint says what brings nginx' stream module where it may be missing.
func (p *peer) moduleHint() string {
	if p.Kind != "nginx" || p.proc == nil || loadModule() != "" {
		return ""
	}
	return "; where its stream module is missing: --install does it; or on Debian and Ubuntu: apt-get install " + streamPackage
}

// streamPackage is where Debian has nginxModule.
const streamPackage = "libnginx-mod-stream"

// debianPackages are those of some programs, each once, sorted.
func debianPackages(programs []string) []string {
	var list []string
	for _, p := range programs {
		if slices.Contains(debian(), p) {
			list = append(list, lab.Package(p))
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// module is a Go program: `go install [flags] path`, whose binary is then renamed.
type module struct {
	program, path, built string
	flags                []string
}

func modules() []module {
	return []module{
		{program: "sing-box", path: "github.com/sagernet/sing-box/cmd/sing-box@latest", built: "sing-box",
			flags: []string{"-tags", "with_gvisor", "-ldflags=-checklinkname=0"}},
		{program: "xray", path: "github.com/xtls/xray-core/main@latest", built: "main"},
	}
}

// Install installs what is missing of the load programs and of the peers of those
// kinds: from Debian's packages, and the Go ones by `go install` into dir. What
// cannot be installed is in the error; the rest is installed all the same.
func Install(ctx context.Context, dir string, kinds []string, say io.Writer) error {
	return errors.Join(installPackages(ctx, kinds, say), installModules(ctx, dir, kinds, say))
}

func installPackages(ctx context.Context, kinds []string, say io.Writer) error {
	var absent []string
	for _, program := range debian() {
		isPeer := slices.Contains(Kinds(), program)
		if _, err := exec.LookPath(program); err != nil && (!isPeer || program == "nginx" || slices.Contains(kinds, program)) {
			absent = append(absent, program)
		}
	}
	list := debianPackages(absent)
	if _, err := os.Stat(nginxModule); err != nil && slices.Contains(kinds, "nginx") {
		list = append(list, streamPackage)
	}
	if len(list) == 0 {
		return nil
	}
	if os.Geteuid() != 0 {
		return fmt.Errorf("install as root: apt-get install %s", strings.Join(list, " "))
	}
	fmt.Fprintf(say, "installing %s\n", strings.Join(list, " "))
	// RUNLEVEL=1: the packages' services are not started.
	env := append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1")
	if err := runQuietly(ctx, env, "apt-get", "update", "-qq"); err != nil {
		return err
	}
	return runQuietly(ctx, env, "apt-get", append([]string{"install", "-y", "-qq", "--no-install-recommends"}, list...)...)
}

func installModules(ctx context.Context, dir string, kinds []string, say io.Writer) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	var errs []error
	for _, m := range modules() {
		if _, err := find(m.program, []string{dir}); err == nil || !slices.Contains(kinds, m.program) {
			continue
		}
		fmt.Fprintf(say, "building %s (some minutes)\n", m.program)
		env := append(os.Environ(), "CGO_ENABLED=0", "GOBIN="+dir, "GOFLAGS=")
		err := runQuietly(ctx, env, "go", append(append([]string{"install"}, m.flags...), m.path)...)
		if err == nil && m.built != m.program {
			err = os.Rename(filepath.Join(dir, m.built), filepath.Join(dir, m.program))
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// runQuietly runs a program; the error holds the end of what it said, which is shown
// nowhere else.
func runQuietly(ctx context.Context, env []string, program string, args ...string) error {
	cmd := exec.CommandContext(ctx, program, args...)
	var said tail
	cmd.Env, cmd.Stdout, cmd.Stderr, cmd.WaitDelay = env, &said, &said, stopWait
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", program, strings.Join(args, " "), err, &said)
	}
	return nil
}

// version is what a program says of its version, or that of its Go module.
func version(ctx context.Context, path string, args []string) string {
	if len(args) == 0 {
		if info, err := buildinfo.ReadFile(path); err == nil {
			return info.Main.Version
		}
		return ""
	}
	out, _ := exec.CommandContext(ctx, path, args...).CombinedOutput() // redsocks exits with 1
	line, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	return strings.TrimSpace(line)
}
