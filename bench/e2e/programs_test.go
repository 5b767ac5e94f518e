//go:build linux

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/bench/lab"
	"sluice/redir/sockets"
)

// runClient runs a program in the client namespace, for no longer than limit,
// and returns what it wrote to standard output.
func (g *gateway) runClient(t *testing.T, limit time.Duration, program string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	cmd := g.Client.Command(ctx, program, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s%s", filepath.Base(program), strings.Join(args, " "), err, out, stderr.Bytes())
	}
	return string(out)
}

// serve runs a program in the server namespace until the test ends, and waits
// until it listens on the TCP ports.
func (g *gateway) serve(t *testing.T, listens []uint16, program string, args ...string) {
	t.Helper()
	serveIn(t, g.Server, listens, program, args...)
}

// serveIn does so in any namespace.
func serveIn(t *testing.T, ns *lab.Namespace, listens []uint16, program string, args ...string) {
	t.Helper()
	var out bytes.Buffer
	cmd := ns.Command(context.Background(), program, args...)
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { end(t, cmd, &out) })
	for _, port := range listens {
		until(t, fmt.Sprintf("%s listens on %d", program, port), func() bool { return listening(t, ns, port) })
	}
}

func end(t *testing.T, cmd *exec.Cmd, out *bytes.Buffer) {
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if t.Failed() {
		t.Logf("%s: %s", filepath.Base(cmd.Path), out)
	}
}

// listening tells whether some socket of the namespace listens on a TCP port.
func listening(t *testing.T, ns *lab.Namespace, port uint16) bool {
	return someSocket(t, ns, func(s sockets.Socket) bool { return s.State == sockets.Listening && s.Local.Port() == port })
}

// connected tells whether some socket of the namespace has one of these peers.
func connected(t *testing.T, ns *lab.Namespace, peers map[netip.AddrPort]bool) bool {
	return someSocket(t, ns, func(s sockets.Socket) bool { return peers[s.Remote] })
}

// someSocket tells whether some TCP socket of the namespace is so.
func someSocket(t *testing.T, ns *lab.Namespace, is func(sockets.Socket) bool) bool {
	found := false
	err := ns.Do(func() error {
		for s := range sockets.Here("tcp", "tcp6") {
			found = found || is(s)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
