package page_test

import (
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"sluice/cmd/sluice/api"
	"sluice/cmd/sluice/page/browser"
)

// TestInChromium shows the page to a real browser. What it is told comes from a fake of
// the control socket, so that each thing is waited for and none is timed.
func TestInChromium(t *testing.T) {
	b := browser.Start(t)
	for name, test := range map[string]func(*testing.T, *browser.Browser){
		"shows": testShows, "moves": testMoves, "filters": testFilters, "sorts": testSorts, "opens": testOpens, "ends": testEnds,
		"token": testToken, "lost": testLost, "hidden": testHidden, "empty": testEmpty, "keyboard": testKeyboard, "formats": testFormats, "looks": testLooks, "unix": testUnix,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, b)
		})
	}
}

// open opens the page with a sample, and checks at the end that it had no faults.
func open(t *testing.T, b *browser.Browser, f *fake) *browser.Tab {
	t.Helper()
	tab := b.Open(t, f.URL)
	f.stream(t)
	f.send("sample", sample(0))
	tab.Wait(`document.querySelectorAll('#flow-table tbody tr').length === 50`)
	t.Cleanup(func() {
		if faults := tab.Faults(); len(faults) > 0 {
			t.Errorf("faults: %q", faults)
		}
	})
	return tab
}

func contains(t *testing.T, tab *browser.Tab, selector string, parts ...string) {
	t.Helper()
	text := tab.Text(selector)
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%s does not say %q:\n%s", selector, part, text)
		}
	}
}

func testShows(t *testing.T, b *browser.Browser) {
	f := serve(t)
	tab := open(t, b, f)
	contains(t, tab, "header", "v0.9.0-14-gabcdef", "Serving", "Live")
	contains(t, tab, "#figures", "812", "95", "18.4 %", "48.3 MB", "1 d 2 h")
	contains(t, tab, "#flow-table tbody tr:first-child", "192.168.1.20:40000", "cdn0.video.example", "203.0.113.7:443", "32.0 Mbit/s", "9.88 GB")
	contains(t, tab, "#flow-table tbody tr:nth-child(2)", `<img src=x onerror=alert(1)>\u{202e}gpj.\u{1b}[31m\u{200b}.example`, "held back")
	contains(t, tab, "#flow-table tbody tr:nth-child(4)", "[2001:db8:85a3:8d3:1319:8a2e:370:7343]:40003")
	contains(t, tab, "#flows-count", "907 flows; 50 are shown")
	contains(t, tab, "#clients tbody tr:nth-child(2)", "192.168.1.21", "held back", "16.0 Mbit/s", "2.40 Mbit/s")
	contains(t, tab, "#destinations", "a-very-long-name-2.with-many-labels")
	contains(t, tab, "#cause-table", "refused client conns", "One client had as many connections as it may have.", "1\u202f204", "6 /s", "a cause of tomorrow")
	contains(t, tab, "#limits", "812 of 10\u202f000", "bounded by memory", "244 of 256", "2 connections, whose reader takes nothing")
	contains(t, tab, "#ways", "lan tproxy at [::]:12345, tcp and udp", "to 10.0.0.5:80", "zürich http, down: its server cannot be reached")
	contains(t, tab, "#gateway", "in place and effective", "a rule of inet filter forward limits", "GRO yes, GSO yes", "seccomp, landlock")
	if browser.Eval[int](tab, `document.querySelectorAll('main img, main script').length`) != 0 {
		t.Error("a name was parsed")
	}
	if share := browser.Eval[string](tab, `document.querySelector('[aria-label=Pipes] .used').style.width`); share != "95.3%" {
		t.Errorf("244 of 256 pipes are drawn as %s", share)
	}
	ill := sample(1)
	ill.Health = api.Health{Causes: []string{"no room left for connections"}}
	f.mu.Lock()
	f.status.Health = ill.Health
	f.mu.Unlock()
	f.send("sample", ill)
	tab.Wait(`document.querySelector('#health').checkVisibility()`)
	contains(t, tab, "#health", "Not well: no room left for connections.")
	f.mu.Lock()
	f.status.State = "draining"
	draining := f.status
	f.mu.Unlock()
	f.send("status", draining)
	tab.Wait(`document.querySelector('#state').textContent.startsWith('Draining')`)
}

func testMoves(t *testing.T, b *browser.Browser) {
	f := serve(t)
	tab := open(t, b, f)
	f.pass(1, 99)
	f.send("sample", sample(99))
	const line = `document.querySelector('#plot-tcp path.down').getAttribute('d')`
	tab.Wait(line + `.split('L').length > 75`)
	if runs := strings.Count(browser.Eval[string](tab, line), "M"); runs != 2 {
		t.Errorf("%d lines, where samples were missing once", runs)
	}
	if gaps := browser.Eval[int](tab, `document.querySelectorAll('#plot-udp .gaps rect').length`); gaps < 1 {
		t.Error("the gap is not shown")
	}
	before := browser.Eval[string](tab, line)
	f.send("sample", sample(100))
	tab.Wait(line + " !== '" + before + "'")
	contains(t, tab, "#plot-tcp figcaption", "TCP", "down\n79.2 Mbit/s", "up\n4.80 Mbit/s", "opened\n12 /s")
	contains(t, tab, "#plot-udp figcaption", "datagrams\n1.84 k/s down, 1.61 k/s up")
	x := browser.Eval[float64](tab, `(document.querySelector('#plot-tcp').scrollIntoView(), document.querySelector('#plot-tcp svg').getBoundingClientRect().left)`)
	y := browser.Eval[float64](tab, `document.querySelector('#plot-tcp svg').getBoundingClientRect().top`)
	tab.Point(x+200, y+40)
	tab.Wait(`document.querySelector('#plot-tcp .when').textContent.startsWith('at ')`)
	if circles := browser.Eval[int](tab, `document.querySelectorAll('.cursor circle').length`); circles != 4 {
		t.Errorf("%d values are marked in both plots", circles)
	}
	f.send("past", sample(90)) // it is known
	set := sample(0)           // the clock of sluice was set back
	set.Time = start.AddDate(0, 0, -1)
	f.send("sample", set)
	tab.Wait(line + ".length < 40")
}

func testEmpty(t *testing.T, b *browser.Browser) {
	f := serve(t)
	f.status = api.Status{State: "serving", Health: api.Health{Well: true}}
	tab := b.Open(t, f.URL)
	f.stream(t)
	f.send("sample", api.Sample{Time: start, Health: api.Health{Well: true}})
	tab.Wait(`document.querySelector('#link').textContent === 'Live'`)
	f.send("sample", api.Sample{Time: start.Add(1e9), Interval: 1, Networks: []api.Network{{Network: "tcp"}, {Network: "udp"}}, Health: api.Health{Well: true}})
	tab.Wait(`document.querySelector('#figures .down dd').textContent === '0 bit/s'`)
	contains(t, tab, "#flows", "No flows.")
	contains(t, tab, "#causes", "None since the start.")
	contains(t, tab, "#talkers", "None.")
	contains(t, tab, "#ways", "None is open.", "Everything goes directly.")
	if all := tab.Text("body"); strings.Contains(all, "NaN") || strings.Contains(all, "undefined") || strings.Contains(all, "null") {
		t.Errorf("nonsense:\n%s", all)
	}
	if faults := tab.Faults(); len(faults) > 0 {
		t.Errorf("faults: %q", faults)
	}
}

func testUnix(t *testing.T, b *browser.Browser) {
	f := serve(t)
	path := filepath.Join(t.TempDir(), "control.sock")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: f.Config.Handler}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	tab := b.Open(t, browser.Bridge(t, path))
	f.stream(t)
	f.send("sample", sample(0))
	tab.Wait(`document.querySelectorAll('#flow-table tbody tr').length === 50`)
	if faults := tab.Faults(); len(faults) > 0 {
		t.Errorf("faults: %q", faults)
	}
}
