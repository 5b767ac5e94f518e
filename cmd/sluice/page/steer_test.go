package page_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"

	"sluice/cmd/sluice/page/browser"
)

func testFilters(t *testing.T, b *browser.Browser) {
	f := serve(t)
	tab := open(t, b, f)
	tab.Type("[name=client]", "192.168.1.0/24\n")
	if query := f.stream(t); query != "client=192.168.1.0%2F24&sort=rate&limit=50&history" {
		t.Errorf("asked for %s", query)
	}
	browser.Eval[bool](tab, `(() => { const n = document.querySelector('[name=network]'); n.value = 'udp'; n.dispatchEvent(new Event('change', {bubbles: true})); return true; })()`)
	if query := f.stream(t); query != "client=192.168.1.0%2F24&network=udp&sort=rate&limit=50&history" {
		t.Errorf("asked for %s", query)
	}
	if tags := browser.Eval[string](tab, `[...document.querySelector('[name=inbound]').options].map(o => o.value).join()`); tags != ",lan,web" {
		t.Errorf("inbounds to choose from are %s", tags)
	}
	tab.Reload()
	if query := f.stream(t); query != "client=192.168.1.0%2F24&network=udp&sort=rate&limit=50&history" {
		t.Errorf("after a reload %s", query)
	}
	tab.Click("#clear")
	if query := f.stream(t); query != "sort=rate&limit=50&history" {
		t.Errorf("asked for %s", query)
	}
	f.send("sample", sample(1))
	tab.Click("#clients tbody tr:nth-child(4) .ender button:first-child")
	if query := f.stream(t); query != "client=2001%3Adb8%3A85a3%3A8d3%3A1319%3A8a2e%3A370%3A7343&sort=rate&limit=50&history" {
		t.Errorf("asked for %s", query)
	}
	tab.Click("#clear")
	f.stream(t)
	tab.Type("[name=client]", "nonsense\n")
	tab.Wait(`document.querySelector('#filter-problem').checkVisibility()`)
	contains(t, tab, "#filter-problem", `client: "nonsense" is no address`)
	if faults := tab.Faults(); len(faults) != 1 || !strings.Contains(faults[0], "400") {
		t.Errorf("faults: %q", faults)
	}
}

const ids = `[...document.querySelectorAll('#flow-table tbody .open')].map(b => b.getAttribute('aria-label').split(' ')[2].slice(0, -1)).join(' ')`

func testSorts(t *testing.T, b *browser.Browser) {
	f := serve(t)
	tab := open(t, b, f)
	tab.Size(1400, 900, false)
	tab.Click("#flow-table thead .age button")
	if query := f.stream(t); query != "sort=age&limit=50&history" {
		t.Errorf("asked for %s", query)
	}
	f.send("sample", sample(1))
	tab.Wait(ids + `.startsWith('u1.3e31')`)
	tab.Click("#flow-table thead .age button")
	if query := f.stream(t); query != "sort=-age&limit=50&history" {
		t.Errorf("asked for %s", query)
	}
	tab.Wait(ids + `.startsWith('t0.0.2a0')`)
	if got := browser.Eval[string](tab, `document.querySelector('#flow-table thead .age').getAttribute('aria-sort')`); got != "ascending" {
		t.Errorf("aria-sort is %s", got)
	}
	// Rows under the mouse keep their places, and go to their new ones when it leaves.
	before := browser.Eval[string](tab, ids)
	middle := `document.querySelector('#flow-table tbody tr:nth-child(3)').getBoundingClientRect()`
	tab.Point(browser.Eval[float64](tab, middle+".left")+60, browser.Eval[float64](tab, middle+".top")+8)
	tab.Wait(`document.querySelector('#flow-table tbody').matches(':hover')`)
	turned := sample(2)
	for i := range turned.Flows {
		turned.Flows[i].Started = sample(0).Flows[49-i].Started // the eldest is the youngest now
	}
	f.send("sample", turned)
	tab.Wait(`document.querySelector('#flows-count').textContent.includes('keep their places')`)
	if after := browser.Eval[string](tab, ids); after != before {
		t.Errorf("rows have moved under the mouse:\n%s\n%s", before, after)
	}
	tab.Point(1, 1)
	tab.Wait(`!document.querySelector('#flow-table tbody').matches(':hover')`)
	f.send("sample", turned)
	tab.Size(360, 900, true) // without the table's head there is a choice beside the filters
	if chosen := browser.Eval[string](tab, `document.querySelector('#sort').selectedOptions[0].text`); chosen != "age" {
		t.Errorf("chosen is %s", chosen)
	}
	reversed := strings.Fields(before)
	slices.Reverse(reversed)
	tab.Wait(ids + ` === '` + strings.Join(reversed, " ") + `'`)
	tab.Click("#turn")
	if query := f.stream(t); query != "sort=age&limit=50&history" {
		t.Errorf("asked for %s", query)
	}
}

func testOpens(t *testing.T, b *browser.Browser) {
	f := serve(t)
	tab := open(t, b, f)
	tab.Click("#flow-table tbody tr:first-child .client")
	tab.Wait(`document.querySelector('tr.detail')`)
	contains(t, tab, "tr.detail", "t0.0.2a0", "198.51.100.1:50000", "berlin", "198.51.100.9:1080", "203.0.113.7:8443", "0, counted from 0", "0x2",
		"9\u202f876\u202f543\u202f210 bytes", "lan")
	// It stays where it is not among the busiest any more, as long as it runs.
	lean := sample(1)
	lean.Flows[0].Source, lean.Flows[0].BytesUp = "", 3
	f.send("sample", lean)
	tab.Wait(`document.querySelector('tr.detail').innerText.includes('(3 bytes)')`)
	contains(t, tab, "tr.detail", "198.51.100.1:50000") // a sample may leave it out
	without := sample(2)
	first := without.Flows[0]
	without.Flows = without.Flows[1:]
	f.send("sample", without)
	tab.Wait(`document.querySelector('#flow-table tr.opened .state').textContent === 'ended'`)
	contains(t, tab, "#flow-table tr.opened", first.Client)
	if disabled := browser.Eval[bool](tab, `document.querySelector('#flow-table tr.opened .ender button').disabled`); !disabled {
		t.Error("what has ended can be ended")
	}
	tab.Click("#flow-table tr.opened .open")
	f.send("sample", without)
	tab.Wait(`document.querySelectorAll('#flow-table tbody tr').length === 49`)
	if faults := tab.Faults(); len(faults) != 1 || !strings.Contains(faults[0], "404") {
		t.Errorf("faults: %q", faults)
	}
}

func testEnds(t *testing.T, b *browser.Browser) {
	f := serve(t)
	tab := open(t, b, f)
	tab.Click("#flow-table tbody tr:first-child .end")
	tab.Wait(`document.querySelector('#ask').open`)
	contains(t, tab, "#ask", "End this connection?", "192.168.1.20:40000 to cdn0.video.example (203.0.113.7:443)")
	if focus := browser.Eval[string](tab, `document.activeElement.value`); focus != "no" {
		t.Errorf("the focus is on %q: a stray Enter would end a connection", focus)
	}
	tab.Click("#ask [value=no]")
	tab.Wait(`!document.querySelector('#ask').open`)
	tab.Click("#flow-table tbody tr:first-child .end")
	tab.Wait(`document.querySelector('#ask').open`)
	tab.Key(kb.Escape)
	tab.Wait(`!document.querySelector('#ask').open`)
	if asked := f.took(); len(asked) > 0 {
		t.Fatalf("ended without a yes: %q", asked)
	}
	tab.Click("#flow-table tbody tr:first-child .end")
	tab.Wait(`document.querySelector('#ask').open`)
	tab.Click("#ask [value=yes]")
	tab.Wait(`document.querySelector('#said').textContent === '1 flow ended.'`)
	tab.Click("#clients tbody tr:nth-child(2) .end")
	tab.Wait(`document.querySelector('#ask').open`)
	contains(t, tab, "#ask", "End all flows of this client?", "192.168.1.21: 37 connections and 1 session now")
	tab.Click("#ask [value=yes]")
	tab.Wait(`document.querySelector('#said').textContent === '5 flows ended.'`)
	tab.Type("[name=destination]", ".example\n")
	f.stream(t)
	tab.Click("#end-all")
	tab.Wait(`document.querySelector('#ask').open`)
	contains(t, tab, "#ask", "destination .example: 907 flows now")
	tab.Click("#ask [value=yes]")
	tab.Wait(`document.querySelector('#said').textContent === 'None was left to end.'`)
	want := []string{"DELETE /v1/flows/t0.0.2a0", "DELETE /v1/flows?client=192.168.1.21", "DELETE /v1/flows?destination=.example"}
	if asked := f.took(); !slices.Equal(asked, want) {
		t.Errorf("asked %q, want %q", asked, want)
	}
}

func testToken(t *testing.T, b *browser.Browser) {
	f := serve(t)
	f.token = "correct horse"
	tab := b.Open(t, f.URL)
	tab.Wait(`document.querySelector('#token').open`)
	tab.Key(kb.Escape) // there is nothing behind it
	tab.Type("#token-text", "wrong\n")
	tab.Wait(`document.querySelector('#token-problem').checkVisibility()`)
	contains(t, tab, "#token", "That is not the token.")
	tab.Type("#token-text", "correct horse\n")
	f.stream(t)
	f.send("sample", sample(0))
	tab.Wait(`!document.querySelector('#token').open && document.querySelectorAll('#flow-table tbody tr').length === 50`)
	for _, fault := range tab.Faults() {
		if !strings.Contains(fault, "401") {
			t.Error(fault)
		}
	}
}

func testLost(t *testing.T, b *browser.Browser) {
	f := serve(t)
	tab := open(t, b, f)
	f.mu.Lock()
	f.status.Version = "v0.9.1"
	f.mu.Unlock()
	f.hangUp()
	tab.Wait(`document.querySelector('#link').textContent.startsWith('No connection since ')`)
	f.stream(t) // it comes back by itself
	f.send("sample", sample(20))
	tab.Wait(`document.querySelector('#link').textContent === 'Live' && document.querySelector('#version').textContent === 'v0.9.1'`)
	tab.Wait(`document.querySelector('#plot-tcp .gaps rect')`)
	// A refusal ends an EventSource for good, but not the page, which says why.
	f.mu.Lock()
	f.full = true
	f.mu.Unlock()
	f.hangUp()
	tab.Wait(`document.querySelector('#link').textContent.endsWith('(16 watch already); trying again')`)
	f.mu.Lock()
	f.full = false
	f.mu.Unlock()
	f.stream(t)
	f.mu.Lock()
	f.token = "from now on"
	f.mu.Unlock()
	f.hangUp()
	tab.Wait(`document.querySelector('#token').open`)
	for _, fault := range tab.Faults() {
		if !strings.Contains(fault, "401") && !strings.Contains(fault, "503") {
			t.Error(fault)
		}
	}
}

// testHidden has the five minutes pass at once, after which a page that nobody sees lets
// the gateway rest.
func testHidden(t *testing.T, b *browser.Browser) {
	f := serve(t)
	tab := open(t, b, f)
	browser.Eval[bool](tab, `(() => { const wait = setTimeout; setTimeout = (f, ms) => wait(f, ms === 300000 ? 0 : ms); return true; })()`)
	see := func(hidden string) {
		browser.Eval[bool](tab, `(Object.defineProperty(document, 'hidden', {value: `+hidden+`, configurable: true}), document.dispatchEvent(new Event('visibilitychange')))`)
	}
	see("true")
	tab.Wait(`document.querySelector('#link').textContent === 'Paused while nobody looked'`)
	see("false")
	f.stream(t)
	f.send("sample", sample(30))
	tab.Wait(`document.querySelector('#link').textContent === 'Live'`)
}

func testKeyboard(t *testing.T, b *browser.Browser) {
	f := serve(t)
	tab := open(t, b, f)
	for i := 1; i < 10; i++ {
		f.send("sample", sample(i))
	}
	tab.Wait(`document.querySelector('#plot-udp path.down').getAttribute('d').split('L').length === 10`)
	browser.Eval[bool](tab, `(document.querySelector('#plot-udp svg').focus(), true)`)
	for range 3 {
		tab.Key(kb.ArrowLeft)
	}
	tab.Wait(`document.querySelector('#plot-udp [role=status]').textContent.includes('up ')`)
	contains(t, tab, "#plot-tcp .when", "at ")
	browser.Eval[bool](tab, `(document.querySelector('#flow-table .open').focus(), true)`)
	tab.Key(kb.Enter)
	tab.Wait(`document.querySelector('tr.detail')`)
	if unnamed := browser.Eval[string](tab, `[...document.querySelectorAll('button, input, select, [role=meter]')].filter(e => !e.textContent.trim() && !e.ariaLabel && !e.labels?.length).map(e => e.outerHTML).join()`); unnamed != "" {
		t.Errorf("without a name: %s", unnamed)
	}
}
