package ipfix

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"sluice/redir/count"
	"sluice/redir/record"
	"sluice/redir/resolve"
)

func flow(id record.ID, client, dest, source string, cause count.Counter) record.Record {
	at := netip.MustParseAddrPort
	return record.Record{
		ID: id, Client: at(client), Dest: at(dest), Dialed: at(dest), Source: at(source), Cause: cause,
		Start: int64(time.Second), Active: int64(3500 * time.Millisecond),
	}
}

// TestCollector has nfdump's collector take flows of each kind, and shows them.
func TestCollector(t *testing.T) {
	collector, err := exec.LookPath("nfcapd")
	if err != nil {
		t.Skip("there is no nfcapd here (nfdump) to collect")
	}
	dir := t.TempDir()
	free, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	port := free.LocalAddr().(*net.UDPAddr).Port
	free.Close()
	var said strings.Builder
	collect := exec.Command(collector, "-w", dir, "-b", "127.0.0.1", "-p", strconv.Itoa(port), "-t", "3600", "-P", filepath.Join(dir, "pid"))
	collect.Stderr, collect.Stdout = &said, &said
	if err := collect.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { collect.Process.Kill() })
	eventually(t, "the collector listens", func() bool { return queueOf(t, port) == "00000000" })

	e, err := New(resolve.Target{Host: "collector.example", Port: uint16(port)}, 0, wall,
		func(context.Context, string) ([]netip.Addr, error) {
			return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
		})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	flows := []record.Record{
		flow(record.ConnID(0, 1, 1), "10.0.0.5:4711", "192.0.2.7:443", "203.0.113.1:50001", count.ConnsFinished),
		flow(record.ConnID(0, 2, 1), "[fd00::5]:4712", "[2001:db8::7]:443", "[2001:db8:1::1]:50002", count.TimedOutIdle),
		flow(record.SessionID(1, 1), "10.0.0.5:4713", "192.0.2.53:53", "203.0.113.1:50003", count.FlowsIdle),
		flow(record.SessionID(1, 2), "[fd00::5]:4714", "[2001:db8::53]:53", "[2001:db8:1::1]:50004", count.FlowsKilled),
	}
	for i := range flows {
		f := &flows[i]
		f.Up.Bytes, f.Down.Bytes = uint64(1000+i), 5_000_000_000+uint64(i)
		if f.ID.IsSession() {
			f.Up.Datagrams, f.Down.Datagrams = uint64(10+i), uint64(20+i)
		}
		e.Put(f)
	}
	e.Flush()
	if _, n, err := e.Counts(); n != 0 {
		t.Fatalf("%d lost: %v", n, err)
	}
	eventually(t, "the collector has taken it", func() bool { return queueOf(t, port) == "00000000" })
	collect.Process.Signal(syscall.SIGTERM)
	if err := collect.Wait(); err != nil {
		t.Fatalf("%v: %s", err, &said)
	}
	files, err := filepath.Glob(filepath.Join(dir, "nfcapd.*"))
	if err != nil || len(files) != 1 {
		t.Fatalf("files %q, %v\n%s", files, err, &said)
	}
	show := exec.Command("nfdump", "-r", files[0], "-q", "-N", "-o", "fmt:%ts %td %pr %sap %dap %byt %obyt %pkt %opkt %nsap %ndap")
	show.Env = append(os.Environ(), "TZ=UTC")
	out, err := show.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	const when = "2023-11-14 22:13:21.000 2.500 " // wall, and a second
	var rows []string
	for line := range strings.Lines(string(out)) {
		rows = append(rows, strings.Join(strings.Fields(line), " "))
	}
	for i, want := range []string{ // of IPv6, nfdump 1.7 does not show what was translated
		when + "6 10.0.0.5:4711 192.0.2.7:443 1000 5000000000 0 0 203.0.113.1:50001 192.0.2.7:443",
		when + "6 fd00::5.4712 2001:db8::7.443 1001 5000000001 0 0 ",
		when + "17 10.0.0.5:4713 192.0.2.53:53 1002 5000000002 12 22 203.0.113.1:50003 192.0.2.53:53",
		when + "17 fd00::5.4714 2001:db8::53.53 1003 5000000003 13 23 ",
	} {
		if i >= len(rows) || !strings.HasPrefix(rows[i], want) {
			t.Errorf("no %q at %d in\n%s\n%s", want, i, out, &said)
		}
	}
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !holds(); <-time.After(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within 10 s", what)
		}
	}
}

// queueOf is how much waits for the reader of a UDP port, in hexadecimal; "" where
// nobody has the port (proc_pid_net(5), /proc/net/udp).
func queueOf(t *testing.T, port int) string {
	t.Helper()
	table, err := os.ReadFile("/proc/self/net/udp")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(table)) {
		if f := strings.Fields(line); strings.HasSuffix(f[1], fmt.Sprintf(":%04X", port)) {
			_, queue, _ := strings.Cut(f[4], ":")
			return queue
		}
	}
	return ""
}
