package loop

import (
	"math"
	"time"

	"golang.org/x/sys/unix"
)

// quiescent is the epoch of a reactor that is between turns: it can hold no
// reference to anything shared.
const quiescent = math.MaxUint64

const (
	// defaultRetireBound is in fds, of the whole group.
	defaultRetireBound = 1024
	// passPause (ns) is how long a reactor that has retired much sleeps before it
	// looks whether the others have finished their turns, and twice as long each
	// time that they have not, until it has slept for passMost after one turn.
	passPause = int64(50 * time.Microsecond)
	passMost  = int64(time.Millisecond)
)

// retireQueue holds fds that this reactor gave up, oldest first, each with the
// epoch that began when it was given up. A reactor that starts a turn
// publishes the group's epoch; one that publishes an epoch no less than the
// fd's started its turn after the fd had been unlinked, and cannot find it.
type retireQueue struct {
	fds []retiredFD
}

type retiredFD struct {
	fd    int
	epoch uint64
	heir  Heir // nil: it is closed
}

// Heir takes over an fd that was passed on, on the reactor's thread between two
// turns, and closes or adopts it.
type Heir interface{ Inherit(fd int) }

func (q *retireQueue) add(fd int, epoch uint64, heir Heir) {
	q.fds = append(q.fds, retiredFD{fd, epoch, heir})
}

func (q *retireQueue) waiting() bool { return len(q.fds) > 0 }

// close closes the fds that no reactor of g can still use.
func (q *retireQueue) close(g *Group) {
	if len(q.fds) == 0 {
		return
	}
	oldest := g.oldestTurn()
	done := 0
	for done < len(q.fds) && q.fds[done].epoch <= oldest {
		if r := &q.fds[done]; r.heir != nil {
			r.heir.Inherit(r.fd)
		} else {
			closeFD(r.fd)
		}
		done++
	}
	g.retired.Add(-int64(done))
	left := copy(q.fds, q.fds[done:])
	clear(q.fds[left:]) // of heirs
	q.fds = q.fds[:left]
}

// closeAll closes the rest, of a group whose reactors have all ended.
func (q *retireQueue) closeAll(g *Group) {
	for _, r := range q.fds {
		closeFD(r.fd)
	}
	g.retired.Add(-int64(len(q.fds)))
	q.fds = nil
}

// SetRetireBound says how many fds may be retired and still open before those
// that retire them wait for the others' turns. Before Start. It is a goal and no
// more: a turn retires what it must, and whoever can do without asks Retired
// first.
func (g *Group) SetRetireBound(n int) {
	g.retireShare = max(1, n/2/max(1, len(g.reactors)))
}

// closeRetired closes what no reactor can still use, between two turns. Reactors
// that share a CPU may run many turns while the one that holds their fds up does
// not run at all: one that has retired its share and cannot close it sleeps for a
// while, so that the other may.
func (r *Reactor) closeRetired() {
	r.retired.close(r.group)
	if len(r.retired.fds) < r.group.retireShare {
		return
	}
	slept := int64(0)
	for pause := passPause; slept < passMost && len(r.retired.fds) >= r.group.retireShare; pause *= 2 {
		t := unix.NsecToTimespec(pause)
		_ = unix.Nanosleep(&t, nil) // a signal may cut it short
		slept += pause
		r.retired.close(r.group)
	}
}
