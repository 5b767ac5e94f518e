package logging

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coreos/go-systemd/v22/journal"
	"github.com/google/go-cmp/cmp"
)

func TestEntry(t *testing.T) {
	text, level, fields, err := entry([]byte(`{"level":"warn","cause":"accept_paused","conns":9007199254740993,"time":"2026-01-02T03:04:05.678Z",` +
		`"flags":["--a","b\u001b"],"in-bound":"x\ny","ok":true,"message":"accepting \u001b[2Jpaused"}`))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"SYSLOG_IDENTIFIER": filepath.Base(os.Args[0]), "SLUICE_CAUSE": "accept_paused", "SLUICE_CONNS": "9007199254740993",
		"SLUICE_FLAGS": "--a\nb\\x1b", "SLUICE_IN_BOUND": `x\ny`, "SLUICE_OK": "true",
	}
	if diff := cmp.Diff(want, fields); diff != "" {
		t.Error(diff)
	}
	if level != journal.PriWarning || !strings.HasPrefix(text, `accepting \x1b[2Jpaused cause=accept_paused conns=9007199254740993 flags=`) ||
		strings.ContainsAny(text, "\x1b\n") {
		t.Errorf("%d: %q", level, text)
	}
	if _, _, _, err := entry([]byte("no object")); err == nil {
		t.Error("no object is an entry")
	}
}

func TestPriorities(t *testing.T) {
	for level, want := range map[string]journal.Priority{
		"trace": 7, "debug": 7, "info": 6, "warn": 4, "error": 3, "fatal": 2, "": 6,
	} {
		if got := priority(level); got != want {
			t.Errorf("%q is %d, want %d", level, got, want)
		}
	}
}

func TestAutoIsTheJournalsStreamAlone(t *testing.T) {
	t.Setenv("JOURNAL_STREAM", "1:1") // another process'
	if got := resolve("auto"); got == "journald" {
		t.Error("a stream of another is taken for standard error")
	}
	if err := SetLevel("loud"); err == nil || !strings.Contains(err.Error(), `--log-level "loud"`) {
		t.Errorf("%v", err)
	}
}
