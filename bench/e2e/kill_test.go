//go:build linux

package e2e

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// victim is a flow that may be ended, with both of its ends.
type victim struct {
	id             string
	w              way
	client, dest   netip.AddrPort
	state          string // "": carrying
	near, far      *net.TCPConn
	socket, server *net.UDPConn
	mapped         netip.AddrPort // of a session: whom the server sees
}

// killings are a sluice and the flows there are.
type killings struct {
	*gateway
	*window
	servers map[netip.AddrPort]*net.UDPConn
}

// TestKill asserts that each filter ends those flows which it means, at once and at
// both ends, and that all others go on.
func TestKill(t *testing.T) {
	t.Parallel()
	s, w := controlled(t, setup{flags: []string{"--udp-timeout=1m", "--connect-timeout=1m"}})
	k := &killings{gateway: startGateway(t, s), window: w, servers: map[netip.AddrPort]*net.UDPConn{}}
	k.shared = writeBackFDs
	for _, w := range ways() {
		filter(t, k.Server, fmt.Sprintf("tcp dport %d drop", w.port(toSilence)))
	}
	old := k.open(t)
	pass(500 * time.Millisecond)
	divide := time.Now() // the old from the young
	pass(500 * time.Millisecond)
	all := append(old, k.open(t)...)
	for _, c := range []struct {
		query string
		means func(v *victim) bool
	}{
		{"client=10.78.0.1", func(v *victim) bool { return v.client.Addr().String() == "10.78.0.1" }},
		{"client=fd78::/64&network=udp", func(v *victim) bool { return v.socket != nil && v.w.v6 && v.client.Addr() == v.w.normal() }},
		{"destination=10.77.2.2:21001", func(v *victim) bool { return v.dest.String() == "10.77.2.2:21001" }},
		{"port=20000,21001&destination=fd77:2::/64", func(v *victim) bool {
			return v.w.v6 && (v.dest.Port() == 20000 || v.dest.Port() == 21001)
		}},
		{"state=half-closed", func(v *victim) bool { return v.state == "half-closed" }},
		{"state=dialing", func(v *victim) bool { return v.state == "dialing" }},
		{"older=AGE&network=udp", func(v *victim) bool { return v.socket != nil && slices.Contains(old, v) }},
		{"older=AGE", func(v *victim) bool { return slices.Contains(old, v) }},
	} {
		query := strings.ReplaceAll(c.query, "AGE", time.Since(divide).String())
		all = k.kill(t, all, query, c.means)
	}
	k.killByID(t, all[0])
	all = all[1:]
	k.refuses(t)
	k.assertUnharmed(t, all)
	if out, exit := k.sluice(t, "kill", "--all"); exit != 0 || out != fmt.Sprintf("ended %d flows\n", len(all)) {
		t.Errorf("kill --all of %d: %d, %q", len(all), exit, out)
	}
	for _, v := range all {
		k.assertEnded(t, v)
	}
}

// open makes flows of two clients to two ports by all ways, and for each way a
// connection that is half closed and one that nobody answers.
func (k *killings) open(t *testing.T) (all []*victim) {
	for _, w := range ways() {
		for _, from := range []netip.Addr{w.client(), w.normal()} {
			for port := range 2 {
				all = append(all, k.connect(t, w, from, port, ""))
				if w.tproxy {
					all = append(all, k.session(t, w, from, port))
				}
			}
		}
		all = append(all, k.connect(t, w, w.client(), 2, "half-closed"), k.connect(t, w, w.client(), toSilence, "dialing"))
	}
	return all
}

func (k *killings) connect(t *testing.T, w way, from netip.Addr, port int, state string) *victim {
	t.Helper()
	v := &victim{w: w, dest: w.dest(port), state: state}
	var ln *net.TCPListener
	if state != "dialing" {
		ln = listenTCP(t, k.Server, v.dest)
		defer ln.Close()
	}
	v.near = inside(t, k.Client, func() (*net.TCPConn, error) { return connect(netip.AddrPortFrom(from, 0), v.dest) })
	t.Cleanup(func() { v.near.Close() })
	v.client = v.near.LocalAddr().(*net.TCPAddr).AddrPort()
	if ln != nil {
		v.far = accept(t, ln)
	}
	if state == "half-closed" {
		mustCloseWrite(t, v.near)
		wantEnd(t, v.far, nil)
	}
	v.id = k.find(t, "tcp", v.client).ID
	return v
}

func (k *killings) session(t *testing.T, w way, from netip.Addr, port int) *victim {
	t.Helper()
	v := &victim{w: w, dest: w.dest(port), socket: listenUDP(t, k.Client, netip.AddrPortFrom(from, 0))}
	v.client = v.socket.LocalAddr().(*net.UDPAddr).AddrPort()
	if k.servers[v.dest] == nil {
		k.servers[v.dest] = listenUDP(t, k.Server, v.dest)
	}
	v.server = k.servers[v.dest]
	_ = errors.Join(v.socket.SetWriteDeadline(time.Time{}), v.server.SetWriteDeadline(time.Time{})) // they live long
	v.mapped = v.ping(t)
	v.id = k.find(t, "udp", v.client).ID
	return v
}

// ping has a datagram cross both ways, and returns whom the server saw.
func (v *victim) ping(t *testing.T) netip.AddrPort {
	t.Helper()
	var sum int64
	mapped := datagramsOf(t, v.socket, v.dest, v.server, 100, 100, &sum, &sum)
	datagramsOf(t, v.server, mapped, v.socket, 200, 200, &sum, &sum)
	return mapped
}

// kill ends what a query means, and returns the rest.
func (k *killings) kill(t *testing.T, all []*victim, query string, means func(*victim) bool) (rest []*victim) {
	t.Helper()
	values, err := url.ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	var meant []*victim
	for _, v := range all {
		if means(v) {
			meant = append(meant, v)
		} else {
			rest = append(rest, v)
		}
	}
	if len(meant) == 0 {
		t.Fatalf("%s: means nothing of what there is", query)
	}
	begun := time.Now()
	if n := k.end(t, values); n != len(meant) {
		t.Errorf("%s: ended %d, want %d", query, n, len(meant))
	}
	for _, v := range meant {
		k.assertEnded(t, v)
	}
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("%s: %v until all ends knew", query, took)
	}
	k.assertUnharmed(t, rest)
	return rest
}

// assertEnded asserts that both ends of a connection have a reset, and that a
// session's next datagram opens another one.
func (k *killings) assertEnded(t *testing.T, v *victim) {
	t.Helper()
	if _, running := k.flow(t, v.id); running {
		t.Errorf("%s of %v runs on", v.id, v.client)
	}
	if v.socket != nil {
		if again := v.ping(t); again == v.mapped {
			t.Errorf("a session of %v goes on by %v after its end", v.client, again)
		}
		if id := k.find(t, "udp", v.client).ID; id == v.id {
			t.Errorf("another session of %v is %s again", v.client, id)
		}
		k.must(t, "DELETE", "/v1/flows?network=udp&client="+url.QueryEscape(v.client.String()), nil)
		return
	}
	for _, c := range []*net.TCPConn{v.near, v.far} {
		if c == nil || v.state == "half-closed" && c == v.far && !isReset(c) {
			continue // a reset after FIN shows in writing alone
		}
		_ = c.SetReadDeadline(time.Now().Add(patience))
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, unix.ECONNRESET) && err != io.EOF {
			t.Errorf("%s of %v (%s): %v, want a reset", v.id, v.client, v.state, err)
		}
	}
}

// isReset tells whether writing to c fails.
func isReset(c *net.TCPConn) bool {
	_, err := c.Write([]byte{1})
	return errors.Is(err, unix.EPIPE) || errors.Is(err, unix.ECONNRESET)
}

// assertUnharmed asserts that flows go on as those that they were.
func (k *killings) assertUnharmed(t *testing.T, all []*victim) {
	t.Helper()
	for _, v := range all {
		switch {
		case v.socket != nil:
			if mapped := v.ping(t); mapped != v.mapped {
				t.Errorf("%s of %v was ended: %v, %v before", v.id, v.client, mapped, v.mapped)
			}
		case v.far != nil:
			renew(v.near, v.far)
			mustWrite(t, v.far, []byte("still there?"))
			wantBytes(t, v.near, []byte("still there?"))
		}
		if _, running := k.flow(t, v.id); !running {
			t.Errorf("%s of %v (%s) has ended", v.id, v.client, v.state)
		}
	}
}

// killByID ends one by the command.
func (k *killings) killByID(t *testing.T, v *victim) {
	t.Helper()
	if out, exit := k.sluice(t, "kill", v.id, "--dry-run"); exit != 0 || out != "would end 1 flow\n" {
		t.Errorf("kill --dry-run: %d, %q", exit, out)
	}
	if out, exit := k.sluice(t, "kill", v.id); exit != 0 || out != "ended 1 flow\n" {
		t.Errorf("kill %s: %d, %q", v.id, exit, out)
	}
	k.assertEnded(t, v)
	if out, exit := k.sluice(t, "kill", v.id); exit != 1 || !strings.Contains(out, v.id) {
		t.Errorf("kill of what has ended: %d, %q", exit, out)
	}
}

// refuses asserts that what does not say which flows are meant ends none.
func (k *killings) refuses(t *testing.T) {
	t.Helper()
	for _, args := range []string{"", "--client=", "--network=tpc", "--older=-1s", "--older=0s", "--limit=3", "--all --client=10.0.0.1", "--rate=NaN"} {
		if out, exit := k.sluice(t, append([]string{"kill"}, strings.Fields(args)...)...); exit != 2 {
			t.Errorf("kill %s: exit %d, want 2: %s", args, exit, out)
		}
	}
	for query, word := range map[string]string{"": "all", "client=": "all", "limit=3": "all", "older=0s": "all", "cleint=10.0.0.1": "cleint",
		"all=true&client=10.0.0.1": "all", "all=maybe": "all", "state=gone": "state", "client=10.0.0.1/33": "client", "sort=rats&network=tcp": "sort"} {
		k.wantProblem(t, "DELETE", "/v1/flows?"+query, "", 400, word)
	}
	k.wantProblem(t, "DELETE", "/v1/flows/t0.ffff.1", "", 404, "t0.ffff.1")
	k.wantProblem(t, "DELETE", "/v1/flows/t0.0", "", 400, "t0.0")
}
