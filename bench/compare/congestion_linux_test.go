package compare_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/bench/compare"
	"sluice/bench/lab"
)

// bulky are the lines of `ss -tinH` about a connection that has carried a mebibyte or
// more: its ends, and with the rest what it has for a congestion control.
var bulky = regexp.MustCompile(`(?m)^ESTAB +\d+ +\d+ +(\S+) +(\S+).*\n\t ?(?:ts )?(?:sack )?(?:ecn )?(?:ecnseen )?(?:fastopen )?([a-z]\w*) .*bytes_(?:sent|received):\d{7}`)

// watch collects until ctx ends what the busy connections of this process' labs have,
// by the namespace and the congestion control: "client cubic".
func watch(ctx context.Context) map[string]string {
	seen := map[string]string{}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for ; ctx.Err() == nil; <-tick.C {
		names, _ := lab.Names()
		for _, name := range names {
			if !strings.HasPrefix(name, fmt.Sprintf("sluicelab-%d-", os.Getpid())) {
				continue
			}
			for _, role := range []string{"client", "gateway", "server"} {
				out, err := exec.CommandContext(ctx, "ip", "netns", "exec", name+"-"+role, "ss", "-tinH").Output()
				if err != nil {
					continue // the lab is gone
				}
				for _, m := range bulky.FindAllStringSubmatch(string(out), -1) {
					seen[role+" "+m[3]] = m[1] + " > " + m[2]
				}
			}
		}
	}
	return seen
}

// watched runs a comparison and says what its connections had meanwhile.
func watched(t *testing.T, o compare.Options) (*compare.Result, map[string]string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	seen := make(chan map[string]string, 1)
	go func() { seen <- watch(ctx) }()
	res, err := compare.Run(t.Context(), o)
	cancel()
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range res.Works {
		for _, row := range w.Rows {
			if row.Faults() != "" || row.Summary[compare.Rate].Median <= 0 {
				t.Errorf("%s, %s: %s %v", w.Key, row.Peer, row.Faults(), row.Summary)
			}
		}
	}
	return res, <-seen
}

// another is a congestion control that this machine has beside its own.
func another(t *testing.T) (own, other string) {
	t.Helper()
	own, err := lab.Congestion()
	if err != nil {
		t.Fatal(err)
	}
	if other = "cubic"; own == other {
		other = "reno" // part of every kernel
	}
	if err := lab.CheckCongestion(other); err != nil {
		t.Fatal(err)
	}
	return own, other
}

// Every connection of every proxy has the congestion control that was asked for, in all
// three namespaces: accepted under the address of another, or opened under a client's.
func TestEveryLegHasTheCongestionControl(t *testing.T) {
	_, other := another(t)
	o := options(t)
	for _, program := range []string{"haproxy", "nginx"} {
		if _, err := exec.LookPath(program); err == nil {
			o.Kinds = append(o.Kinds, program)
		}
	}
	o.Works, o.Congestion = []string{"bulk-8-up", "bulk-1-down", "reverse-http-100", "socks-bulk"}, []string{other}
	_, seen := watched(t, o)
	if want := []string{"client " + other, "gateway " + other, "server " + other}; !slices.Equal(slices.Sorted(maps.Keys(seen)), want) {
		t.Errorf("%v, want %v", seen, want)
	}
}

// One run has both, each in a work of its own that names it.
func TestBulkWithEachCongestionControl(t *testing.T) {
	own, other := another(t)
	o := options(t)
	o.Works, o.Congestion = []string{"bulk-1-up", "http-1"}, []string{own, other}
	res, seen := watched(t, o)
	var got []string
	for _, w := range res.Works {
		got = append(got, w.Key+" "+w.Congestion)
	}
	if want := []string{"bulk-1-up " + own, "bulk-1-up-" + other + " " + other, "http-1 " + own}; !slices.Equal(got, want) {
		t.Errorf("works %q, want %q", got, want)
	}
	for _, role := range []string{"client", "gateway", "server"} {
		for _, name := range o.Congestion {
			if seen[role+" "+name] == "" {
				t.Errorf("no connection of the %s had %s: %v", role, name, seen)
			}
		}
	}
	if len(seen) != 6 {
		t.Errorf("%v", seen)
	}
}

// What there is not is refused before anything is made, with what there is.
func TestCongestionIsRefused(t *testing.T) {
	own, _ := another(t)
	for _, c := range []struct {
		asked []string
		want  string
	}{{[]string{own, "nosuch"}, "modprobe tcp_nosuch"}, {[]string{"nosuch"}, own}, {[]string{own, own}, "named twice"}} {
		if _, err := compare.Congestions(c.asked); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, want %q", c.asked, err, c.want)
		}
	}
	o := compare.Options{Sluice: "/nonexistent", Works: []string{"udp-1"}, Congestion: []string{"nosuch"}, Rounds: 1, Duration: time.Second, Progress: t.Output()}
	if _, err := compare.Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), "modprobe tcp_nosuch") {
		t.Errorf("error %v", err)
	}
	if names, err := compare.Congestions(nil); err != nil || names[0] != own || len(names) > 2 || len(names) == 2 && names[1] != "cubic" {
		t.Errorf("%q, %v", names, err)
	}
}
