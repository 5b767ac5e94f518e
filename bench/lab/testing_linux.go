package lab

import (
	"errors"
	"fmt"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// For makes a lab for one test and removes it when the test ends. Where
// namespaces can't be made the test is skipped with the reason, except in CI
// (environment variable CI set), where it fails. Tests that run as an ordinary
// user call Main from TestMain.
func For(tb testing.TB, o Options) *Lab {
	tb.Helper()
	l, err := New(o)
	switch {
	case err == nil:
	case os.Getenv("CI") == "" && (errors.Is(err, unix.EPERM) || errors.Is(err, os.ErrPermission)):
		tb.Skipf("needs root or a user namespace: %v", err)
	default:
		tb.Fatalf("no lab: %v", err)
	}
	tb.Cleanup(func() {
		if err := l.Close(); err != nil {
			tb.Errorf("close lab: %v", err)
		}
	})
	return l
}

// Main runs the tests of a package that makes labs, for an ordinary user inside a
// user namespace (Enter):
//
//	func TestMain(m *testing.M) { os.Exit(lab.Main(m)) }
func Main(m *testing.M) int {
	if err := Enter(); err != nil {
		fmt.Fprintln(os.Stderr, "lab:", err) // For tells each test
	}
	return m.Run()
}
