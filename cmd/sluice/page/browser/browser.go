package browser

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// patience bounds each step of a test in a browser.
const patience = 30 * time.Second

// Browser is a Chromium that runs until its test ends.
type Browser struct{ ctx context.Context }

// Start starts a Chromium, which keeps its files in a directory of its own until it ends.
func Start(tb testing.TB) *Browser {
	tb.Helper()
	path, err := exec.LookPath("chromium-headless-shell") // half the work of the one with windows
	if err != nil {
		path, err = exec.LookPath("chromium")
	}
	if err != nil {
		tb.Fatalf("%v: run .ci/programs, which installs it", err)
	}
	dir, err := os.MkdirTemp("", "chromium-")
	if err != nil {
		tb.Fatal(err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.UserDataDir(filepath.Join(dir, "profile")),
		chromedp.Env("HOME="+dir, "TMPDIR="+dir, "XDG_CONFIG_HOME="+dir, "XDG_CACHE_HOME="+dir),
		chromedp.NoSandbox, // root needs it, and no page but the tests' own is opened
		chromedp.DisableGPU,
		chromedp.Flag("disable-crashpad-for-testing", true), // it would outlive the browser
		chromedp.Flag("renderer-process-limit", "1"),        // starting them costs more than the tests do
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"),
	)
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, end := chromedp.NewContext(allocator)
	tb.Cleanup(func() {
		closing, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		_ = chromedp.Cancel(closing) // waits until it is gone
		end()
		stop()
		if err := os.RemoveAll(dir); err != nil {
			tb.Log(err)
		}
	})
	if err := chromedp.Do(ctx); err != nil {
		tb.Fatalf("chromium does not start: %v", err)
	}
	return &Browser{ctx: ctx}
}

// Tab is a page that is open. Its methods fail the test that opened it.
type Tab struct {
	tb   testing.TB
	ctx  context.Context
	host string

	mu     sync.Mutex
	faults []string
}

// Open opens a page in a tab of its own, which is closed when the test ends.
func (b *Browser) Open(tb testing.TB, address string) *Tab {
	tb.Helper()
	parsed, err := url.Parse(address)
	if err != nil {
		tb.Fatal(err)
	}
	ctx, end := chromedp.NewContext(b.ctx)
	tb.Cleanup(end)
	tab := &Tab{tb: tb, ctx: ctx, host: parsed.Host}
	if err := chromedp.Listen(ctx, tab.hear); err != nil {
		tb.Fatal(err)
	}
	call(tab, log.Enable, cdp.Empty{})
	call(tab, network.Enable, network.EnableParams{})
	call(tab, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true}) // tests may run beside each other
	tab.do("open "+address, chromedp.Navigate(address))
	return tab
}

func (t *Tab) hear(event any) {
	switch e := event.(type) {
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning {
			t.fault("log: %s %s", e.Entry.Text, e.Entry.URL)
		}
	case *runtime.EventExceptionThrown:
		text := e.ExceptionDetails.Text
		if thrown := e.ExceptionDetails.Exception; thrown != nil {
			text += " " + thrown.Description
		}
		t.fault("exception: %s", text)
	case *runtime.EventConsoleAPICalled:
		var words []string
		for _, arg := range e.Args {
			words = append(words, string(arg.Value))
		}
		t.fault("console.%s: %s", e.Type, strings.Join(words, " "))
	case *network.EventRequestWillBeSent:
		if to, err := url.Parse(e.Request.URL); err != nil || to.Scheme != "data" && to.Host != t.host {
			t.fault("a request to %s", e.Request.URL)
		}
	}
}

func (t *Tab) fault(format string, values ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.faults = append(t.faults, fmt.Sprintf(format, values...))
}

// Faults returns the faults since it was called last.
func (t *Tab) Faults() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	faults := t.faults
	t.faults = nil
	return faults
}

// do runs an action within patience.
func (t *Tab) do(what string, action chromedp.Action[chromedp.Void]) {
	t.tb.Helper()
	if _, err := run(t.ctx, action); err != nil {
		t.tb.Fatalf("%s: %v; faults %q", what, err, t.Faults())
	}
}

// call sends a command of the protocol.
func call[P, R any](t *Tab, command cdp.Command[P, R], params P) R {
	t.tb.Helper()
	ctx, cancel := context.WithTimeout(t.ctx, patience)
	defer cancel()
	result, err := chromedp.Call(ctx, command, params)
	if err != nil {
		t.tb.Fatalf("%s: %v", command.Method, err)
	}
	return result
}

func run[T any](ctx context.Context, action chromedp.Action[T]) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return chromedp.Run(ctx, action)
}
