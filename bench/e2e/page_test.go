//go:build linux

package e2e

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"sluice/cmd/sluice/page/browser"
)

// TestPageOfTraffic has a real browser show what a real sluice carries: the flow that
// moves the most is in the table with its rate, the plot moves, a flow ends when the
// button is pressed, and the plot of a network falls when nothing moves any more.
func TestPageOfTraffic(t *testing.T) {
	t.Parallel()
	s, w := controlled(t, setup{plain: true})
	g := startGateway(t, s)
	r := &paced{gateway: g, over: make(chan struct{})}
	defer r.end()
	six := way{v6: true, tproxy: true}
	near, far := g.pair(t, six)
	for _, c := range []*net.TCPConn{near, far} {
		_ = c.SetDeadline(time.Now().Add(transferTime))
	}
	go discard(far)
	r.keep(rateUp/1000, func() error { _, err := near.Write(payload(1000)); return err })
	client := near.LocalAddr().(*net.TCPAddr).AddrPort()

	tab := browser.Start(t).Open(t, browser.Bridge(t, w.path))
	tab.Wait(`document.querySelector('#link').textContent === 'Live'`)
	tab.Wait(`document.querySelectorAll('#flow-table tbody tr').length === 1`)
	tab.Wait(fmt.Sprintf(`document.querySelector('#flow-table tbody').innerText.includes(%q)`, client.Addr()))
	tab.Wait(`/1[5-7](\.\d+)? Mbit\/s/.test(document.querySelector('#figures .up dd').textContent)`) // 2 MB/s
	const line = `document.querySelector('#plot-tcp path.up').getAttribute('d')`
	before := browser.Eval[string](tab, line)
	tab.Wait(fmt.Sprintf("%s !== %q", line, before))
	if text := tab.Text("#flow-table"); !strings.Contains(text, netip.AddrPortFrom(six.server(), six.port(0)).Addr().String()) {
		t.Errorf("the table says %q", text)
	}
	tab.Click("#flow-table tbody tr:first-child .end")
	tab.Wait(`document.querySelector('#ask').open`)
	if _, running := w.flow(t, w.find(t, "tcp", client).ID); !running {
		t.Error("the flow has ended before the question was answered")
	}
	tab.Click("#ask [value=yes]")
	tab.Wait(`document.querySelector('#said').textContent === '1 flow ended.'`)
	until(t, "the connection is reset", func() bool { return isReset(near) })
	tab.Wait(`document.querySelector('#figures .up dd').textContent === '0 bit/s'`)
	for _, fault := range tab.Faults() {
		t.Errorf("the page: %s", fault)
	}
}
