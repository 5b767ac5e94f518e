package ledger

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"sluice/redir/count"
	"sluice/redir/record"
	"sluice/redir/route"
)

// fake is a server whose flows end when the test says so.
type fake struct{ record.Feeds }

func (f *fake) Ended(size int) *record.Feed { return f.Open(1, size) }

func (f *fake) Wall(ns int64) time.Time {
	return time.UnixMilli(1_700_000_000_000).Add(time.Duration(ns)).UTC()
}

func sample(serial uint64) record.Record {
	at := netip.MustParseAddrPort
	return record.Record{
		ID: record.ConnID(0, 1, serial), Cause: count.ConnsFinished, Inbound: "in", Client: at("10.0.0.5:4711"), Dest: at("192.0.2.7:443"),
		Name: "www.example", Dialed: at("192.0.2.7:443"), Source: at("203.0.113.1:50001"), Out: "direct", Rule: 2, Mark: 2,
		Start: int64(time.Second), Active: int64(2 * time.Second), End: int64(2500 * time.Millisecond),
		Up: record.Traffic{Bytes: 1<<53 + 1}, Down: record.Traffic{Bytes: 7},
	}
}

// eventually polls until the condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !holds(); <-time.After(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within 10 s", what)
		}
	}
}

func openLines(t *testing.T, source Source, path string) *Lines {
	t.Helper()
	l, err := OpenLines(source, path, -1, -1)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestLine(t *testing.T) {
	zerolog.TimeFieldFormat = "2006-01-02T15:04:05.000Z07:00"
	at := netip.MustParseAddrPort
	conn, session := sample(1), sample(2)
	session.ID, session.Rule, session.Name, session.Source = record.SessionID(1, 2), route.Final, "", netip.AddrPort{}
	session.Dialed, session.Server, session.Up.Datagrams = at("192.0.2.7:5353"), at("198.51.100.1:1080"), 3
	for want, r := range map[string]*record.Record{
		`{"time":"2023-11-14T22:13:22.500Z","id":"t0.1.1","network":"tcp","cause":"finished","inbound":"in","client":"10.0.0.5:4711",` +
			`"destination":"192.0.2.7:443","name":"www.example","source":"203.0.113.1:50001","outbound":"direct","rule":2,"mark":2,` +
			`"started":"2023-11-14T22:13:21.000Z","active":"2023-11-14T22:13:22.000Z","duration":1.5,"bytes_up":9007199254740993,"bytes_down":7}`: &conn,
		`{"time":"2023-11-14T22:13:22.500Z","id":"u1.2","network":"udp","cause":"finished","inbound":"in","client":"10.0.0.5:4711",` +
			`"destination":"192.0.2.7:443","dialed":"192.0.2.7:5353","outbound":"direct","server":"198.51.100.1:1080","mark":2,` +
			`"started":"2023-11-14T22:13:21.000Z","active":"2023-11-14T22:13:22.000Z","duration":1.5,"bytes_up":9007199254740993,"bytes_down":7,"datagrams_up":3,"datagrams_down":0}`: &session,
	} {
		var b bytes.Buffer
		log := zerolog.New(&b)
		wall((&fake{}).Wall).object(log.Log(), r).Send()
		want = strings.ReplaceAll(want, `"finished"`, `"`+count.ConnsFinished.String()+`"`)
		if diff := cmp.Diff(want, strings.TrimSpace(b.String())); diff != "" {
			t.Error(diff)
		}
	}
}

// TestFile: every flow is a line, also those that end while the book is closed, and
// the file is opened again where it was moved away.
func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.log")
	if err := os.WriteFile(path, []byte("of before\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var server fake
	lines := openLines(t, &server, path)
	book := Keep(&server, lines, 1)
	end := func(from, to uint64) {
		for i := from; i < to; i++ {
			r := sample(i)
			server.Put(0, &r)
		}
	}
	end(0, 1000)
	eventually(t, "written", func() bool { return countLines(t, path) == 1001 })
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	end(1000, 1100)
	eventually(t, "written to where it is", func() bool { return countLines(t, path+".1") == 1101 })
	if err := lines.Reopen(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the old one is let go", func() bool { return !holds(t, path+".1") })
	end(1100, 2000)
	if err := book.Close(10 * time.Second); err != nil {
		t.Fatal(err)
	}
	if n, m := countLines(t, path+".1"), countLines(t, path); n != 1101 || m != 900 {
		t.Errorf("%d and %d lines", n, m)
	}
	if written, lost, err := book.Counts(); written != 2000 || lost != 0 || err != nil {
		t.Errorf("%d written, %d lost: %v", written, lost, err)
	}
	if server.Wanted() {
		t.Error("the feed goes on")
	}
}

// countLines is how many there are, each of which must be an object.
func countLines(t *testing.T, path string) (n int) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(text) {
		if n++; !bytes.HasSuffix(line, []byte("\n")) || !json.Valid(line) && string(line) != "of before\n" {
			return -1
		}
	}
	return n
}

// holds tells whether this process has the file open.
func holds(t *testing.T, path string) bool {
	t.Helper()
	fds, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		if at, err := os.Readlink(fd); err == nil && at == path {
			return true
		}
	}
	return false
}

func TestReopenFails(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "logs")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "access.log")
	var server fake
	lines := openLines(t, &server, path)
	if err := os.Rename(dir, dir+".1"); err != nil {
		t.Fatal(err)
	}
	if err := lines.Reopen(); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), path) {
		t.Errorf("opened again: %v", err)
	}
	book := Keep(&server, lines, 1)
	r := sample(1)
	server.Put(0, &r)
	if err := book.Close(10 * time.Second); err != nil {
		t.Fatal(err)
	}
	if n := countLines(t, filepath.Join(dir+".1", "access.log")); n != 1 {
		t.Errorf("%d lines in the file of before", n)
	}
}

// TestFullPipe: a reader that stops costs lines, which are counted, and nobody's
// time; what comes later is whole.
func TestFullPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	var server fake
	if _, err := OpenLines(&server, path, -1, -1); err == nil || !strings.Contains(err.Error(), "nobody reads") {
		t.Errorf("without a reader: %v", err)
	}
	reader, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	book := Keep(&server, openLines(t, &server, path), 1)
	const flows = 5 * feedRecords
	begun := time.Now()
	for i := range uint64(flows) {
		r := sample(i)
		server.Put(0, &r)
	}
	if took := time.Since(begun); took > time.Second {
		t.Errorf("the ends of flows took %v", took)
	}
	if err := book.Close(10 * time.Millisecond); err != nil {
		t.Fatal(err)
	}
	_, lost, _ := book.Counts()
	if lost == 0 {
		t.Fatal("nothing was lost")
	}
	read := make(chan int)
	go func() {
		n, dec := 0, json.NewDecoder(reader)
		for ; dec.Decode(&struct{}{}) == nil; n++ {
		}
		read <- n
	}()
	<-book.done
	book.writer.Close()
	if n := <-read; n+int(lost) != flows {
		t.Errorf("%d lines read and %d lost of %d flows", n, lost, flows)
	}
}

// TestFullDisk: what has no room is counted, and the line that was cut off is ended.
func TestFullDisk(t *testing.T) {
	var server fake
	lines := openLines(t, &server, "/dev/full")
	r := sample(1)
	for range 3 {
		lines.Put(&r)
		lines.Put(&r)
		lines.Flush()
	}
	if _, n, err := lines.Counts(); n != 6 || !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("%d lost: %v", n, err)
	}
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cut := newLines(&server, "", in)
	cut.torn = true
	cut.Put(&r)
	cut.Flush()
	if err := cut.Close(); err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(out); err != nil || text[0] != '\n' || !json.Valid(text) {
		t.Errorf("%q, %v", text, err)
	}
}

// TestSample: one in ten, those whose ID says so.
func TestSample(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.log")
	var server fake
	book := Keep(&server, openLines(t, &server, path), 10)
	const flows = feedRecords
	for i := range uint64(flows) {
		r := sample(i)
		server.Put(0, &r)
	}
	if err := book.Close(10 * time.Second); err != nil {
		t.Fatal(err)
	}
	if n := countLines(t, path); n < flows/10*8/10 || n > flows/10*12/10 {
		t.Errorf("%d lines of %d flows", n, flows)
	}
}

func TestLosses(t *testing.T) {
	var out bytes.Buffer
	log, l, now := zerolog.New(&out), Losses{}, time.Now()
	for i, c := range []struct {
		lost uint64
		says string
	}{
		{0, ""}, {5, `"access_log_lost":5,"message":"records of ended flows are lost: what`}, {9, ""}, {9, ""},
		{9, `"access_log_lost":9,"lately":9,"message":"records of ended flows are written again`}, {9, ""}, {10, "are lost"},
	} {
		out.Reset()
		l.Tell(now.Add(time.Duration(i)*episodePeriod/2), "access_log_lost", c.lost, nil, log)
		if got := out.String(); c.says == "" && got != "" || !strings.Contains(got, c.says) {
			t.Errorf("%d: %q, want %q", i, got, c.says)
		}
	}
}

func BenchmarkLines(b *testing.B) {
	lines, err := OpenLines(&fake{}, os.DevNull, -1, -1)
	if err != nil {
		b.Fatal(err)
	}
	r := sample(1)
	b.ReportAllocs()
	for b.Loop() {
		lines.Put(&r)
	}
}
