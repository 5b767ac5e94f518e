package loop

import (
	"errors"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// failing is an engine whose next wait fails.
type failing struct{ engine }

func (failing) wait([]event, int64) (int, error) { return 0, unix.ENOMEM }

// TestFailedReactorIsTold: a reactor that ends by itself does so aloud, by an
// error or by a panic; the others go on.
func TestFailedReactorIsTold(t *testing.T) {
	for name, c := range map[string]struct {
		fail func(r *Reactor)
		says string
	}{
		"error": {func(r *Reactor) { r.engine = failing{r.engine} }, "reactor 1: epoll_wait: cannot allocate memory"},
		"panic": {func(*Reactor) { panic("a mistake") }, "reactor 1: panic: a mistake"},
	} {
		t.Run(name, func(t *testing.T) {
			g, err := NewGroup(2)
			if err != nil {
				t.Fatal(err)
			}
			g.Start()
			reactors := g.Reactors()
			reactors[1].Post(func() { c.fail(reactors[1]) })
			select {
			case err := <-g.Failed():
				if !strings.Contains(err.Error(), c.says) {
					t.Errorf("%v, want %q", err, c.says)
				}
			case <-time.After(10 * time.Second):
				t.Fatal("nobody was told")
			}
			if reactors[1].Post(func() {}) {
				t.Error("the reactor that has failed takes functions")
			}
			on(t, reactors[0], func() {})
			g.Stop()
			if err := g.Wait(); err == nil || name == "error" && !errors.Is(err, unix.ENOMEM) {
				t.Errorf("waited for, it says %v", err)
			}
		})
	}
}
