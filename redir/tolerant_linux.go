package redir

import (
	"time"

	"sluice/loop"
)

// silence is how long a fast conn may be silent before the worker looks whether
// the kernel holds back its last bytes.
const silence = 2 * time.Millisecond

// tolerantConns are a worker's conns whose relay is Tolerant.
type tolerantConns struct {
	w     *worker
	all   []*conn
	timer loop.Timer
}

// add begins to watch c.
func (t *tolerantConns) add(c *conn) {
	c.watched = true
	t.all = append(t.all, c)
	if !t.timer.Armed() {
		t.w.r.Arm(&t.timer, t, silence)
	}
}

// Expired hurries the conns that have been silent, and forgets those that are
// tolerant no more.
func (t *tolerantConns) Expired(now int64) {
	look := t.all
	t.all = t.all[:0]
	for i, c := range look {
		look[i] = nil
		if c.state == relaying && now-c.active >= int64(silence) {
			c.relay.Hurry()
			c.pump()
		}
		if c.state == relaying && c.relay.Tolerant() {
			t.all = append(t.all, c)
		} else {
			c.watched = false
		}
	}
	if len(t.all) > 0 {
		t.w.r.Arm(&t.timer, t, silence)
	}
}
