//go:build linux

package e2e

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"sluice/bench/lab"
)

// Environment variables that name the programs under test. TestMain sets those
// that are not set.
const (
	binaryEnv = "SLUICE_TEST_E2E_BINARY"       // built with the race detector if the tests are
	plainEnv  = "SLUICE_TEST_E2E_PLAIN_BINARY" // never built with it, for heavy load
)

func TestMain(m *testing.M) { os.Exit(buildAndRun(m)) }

func buildAndRun(m *testing.M) int {
	os.Setenv("SLUICE_CONFIG", "off") // where no test names a file, none of this machine is read
	if err := lab.Enter(); err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err) // lab.For tells each test
	}
	dir, err := os.MkdirTemp("", "sluice-e2e-")
	if err == nil {
		defer os.RemoveAll(dir)
		err = build(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		return 1
	}
	// Most tests wait most of the time. The command line may still say otherwise.
	if err := flag.Set("test.parallel", "6"); err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		return 1
	}
	return m.Run()
}

// build makes the programs that the environment does not name.
func build(dir string) error {
	if os.Getenv(binaryEnv) != "" {
		return os.Setenv(plainEnv, os.Getenv(binaryEnv))
	}
	plain := filepath.Join(dir, "sluice")
	if err := goBuild(plain); err != nil {
		return err
	}
	checked := plain
	if raceEnabled {
		checked += "-race"
		if err := goBuild(checked, "-race"); err != nil {
			return err
		}
	}
	if err := os.Setenv(plainEnv, plain); err != nil {
		return err
	}
	return os.Setenv(binaryEnv, checked)
}

func goBuild(to string, flags ...string) error {
	args := append(append([]string{"build", "-o", to}, flags...), "sluice/cmd/sluice")
	if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("go %v: %w: %s", args, err, out)
	}
	return nil
}

// needProgram finds a program of another package; without it the test is
// skipped, or fails in CI.
func needProgram(tb testing.TB, name, debianPackage string) string {
	tb.Helper()
	for _, path := range []string{name, filepath.Join("/usr/sbin", name)} {
		if found, err := exec.LookPath(path); err == nil {
			return found
		}
	}
	if os.Getenv("CI") != "" {
		tb.Fatalf("%s is not installed: apt-get install %s", name, debianPackage)
	}
	tb.Skipf("%s is not installed: apt-get install %s", name, debianPackage)
	return ""
}
