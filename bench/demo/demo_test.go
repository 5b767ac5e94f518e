//go:build linux

package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/bench/lab"
)

func TestMain(m *testing.M) { os.Exit(lab.Main(m)) }

// needLab skips (or, in CI, fails) where no lab can be made.
func needLab(t *testing.T) {
	t.Helper()
	if err := lab.For(t, lab.Options{}).Close(); err != nil {
		t.Fatal(err)
	}
}

func TestPlainForwardingIsRight(t *testing.T) {
	needLab(t)
	var out strings.Builder
	if err := Run(context.Background(), Options{Direct: true}, &out); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	if n := strings.Count(out.String(), " ok\n"); n != 4 {
		t.Errorf("%d of 4 flows ok:\n%s", n, &out)
	}
}

// script writes an executable that stands for sluice.
func script(t *testing.T, text string) string {
	path := filepath.Join(t.TempDir(), "sluice")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// A proxy that is ready but takes nothing: every flow is wrong, and Run says so.
func TestUnansweredFlowsAreWrong(t *testing.T) {
	needLab(t)
	path := script(t, `echo '{"level":"info","message":"ready"}' >&2; trap 'exit 0' TERM; while :; do sleep 0.05; done`)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	for _, nft := range []bool{false, true} {
		err := Run(ctx, Options{Sluice: path, NFT: nft}, io.Discard)
		if !errors.Is(err, ErrWrong) && !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	}
	if names, err := lab.Names(); err != nil || len(ours(names)) > 0 {
		t.Errorf("left behind: %v, %v", ours(names), err)
	}
}

func TestSluiceThatFailsIsQuoted(t *testing.T) {
	needLab(t)
	err := Run(context.Background(), Options{Sluice: script(t, "echo no capability >&2; exit 1")}, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "no capability") {
		t.Errorf("got %v", err)
	}
}

func TestMissingProgramIsNamed(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	err := Run(context.Background(), Options{Sluice: "/nonexistent/sluice"}, io.Discard)
	for _, want := range []string{"apt-get install iptables", "apt-get install util-linux", "sluice program"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
}

func TestJudge(t *testing.T) {
	a, b := netip.MustParseAddrPort("198.18.0.1:53"), netip.MustParseAddrPort("10.77.2.1:9")
	if err := (Row{Asked: a, Bore: a, Peer: b}).judge(b.Addr()); err != nil {
		t.Error(err)
	}
	if (Row{Asked: a, Bore: b, Peer: b}).judge(b.Addr()) == nil {
		t.Error("a reply from another source passed")
	}
	if (Row{Asked: a, Bore: a, Peer: a}).judge(b.Addr()) == nil {
		t.Error("traffic around the proxy passed")
	}
}

// ours keeps the labs of this process.
func ours(names []string) (mine []string) {
	for _, n := range names {
		if strings.Contains(n, fmt.Sprintf("-%d-", os.Getpid())) {
			mine = append(mine, n)
		}
	}
	return mine
}
