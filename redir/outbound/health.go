package outbound

import (
	"sync"
	"sync/atomic"
	"time"
)

const (
	// failuresDown is how many failures in a row take an outbound down: one server
	// of a busy host fails now and then, and two SYNs may be lost.
	failuresDown = 3
	// pauseFirst and pauseMost bound how long an outbound that is down is left
	// alone; it doubles.
	pauseFirst = int64(time.Second)
	pauseMost  = int64(30 * time.Second)
)

// health is whether a server can be reached, as flows find out. Any thread may ask
// and tell; times are ns of Reactor.Now, of which there is one for all.
type health struct {
	until    atomic.Int64 // nobody tries before; 0: the server is up
	failures atomic.Int32 // in a row

	mu      sync.Mutex // guards what follows, and until and failures against a change at the same time
	pause   int64      // ns
	trying  bool       // a flow tries, although the server is down
	changed func(up bool, why error)
}

// usable reports whether a flow that begins now may try. Where the server is down
// and the pause over, that is one flow for each pause.
func (h *health) usable(now int64) bool {
	until := h.until.Load()
	if until == 0 {
		return true
	}
	if now < until {
		return false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if until = h.until.Load(); until == 0 || now < until {
		return until == 0
	}
	h.until.Store(now + h.pause)
	h.trying = true
	return true
}

func (h *health) isDown() bool { return h.until.Load() != 0 }

// reached tells that the server carries a flow.
func (h *health) reached() {
	if h.failures.Load() == 0 {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.failures.Store(0)
	if h.until.Swap(0) != 0 {
		h.tell(true, nil)
	}
}

// failed tells that a flow could not reach the server. Of those that began before
// it went down, no pause gets longer.
func (h *health) failed(now int64, why error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch failures := h.failures.Load(); {
	case failures < failuresDown-1:
		h.failures.Store(failures + 1)
	case h.until.Load() == 0:
		h.failures.Store(failuresDown)
		h.pause = pauseFirst
		h.until.Store(now + h.pause)
		h.tell(false, why)
	case h.trying:
		h.trying = false
		h.pause = min(2*h.pause, pauseMost)
		h.until.Store(now + h.pause)
	}
}

func (h *health) tell(up bool, why error) {
	h.trying = false
	if h.changed != nil {
		h.changed(up, why)
	}
}
