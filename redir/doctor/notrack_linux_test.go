package doctor

import (
	"os"
	"strings"
	"testing"
)

// TestWhoNeedsConntrack: doctor names who does, and where nobody does, the flag.
func TestWhoNeedsConntrack(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("network namespaces need root")
	}
	program := buildSluice(t)
	for _, c := range []struct {
		name, rules string
		redirect    bool
		status      Status
		says        string
	}{
		{name: "nobody", status: Note, says: "--notrack spares"},
		{name: "masquerade", status: OK, says: "translates sources",
			rules: input("chain post { type nat hook postrouting priority srcnat\n oifname \"s0\" masquerade\n }")},
		{name: "stateful input", status: OK, says: "state of a connection",
			rules: input("chain input { " + inputHook + " policy drop\n" + ndp + " meta mark & 1 == 1 accept\n ct state established,related accept\n }")},
		{name: "REDIRECT", redirect: true, status: OK, says: "needed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			g := newGateway(t, program, brokenGateway{redirect: c.redirect})
			if c.rules != "" {
				g.run(c.rules)
			}
			if r := g.look("conntrack of diverted flows"); r.Status != c.status || !strings.Contains(r.Detail, c.says) {
				t.Errorf("%v", r)
			}
			g.carries("all the while")
		})
	}
}
