package loop

import "math"

// quiescent is the epoch of a reactor that is between turns: it can hold no
// reference to anything shared.
const quiescent = math.MaxUint64

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
}

func (q *retireQueue) add(fd int, epoch uint64) {
	q.fds = append(q.fds, retiredFD{fd, epoch})
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
		closeFD(q.fds[done].fd)
		done++
	}
	q.fds = append(q.fds[:0], q.fds[done:]...)
}

// closeAll closes the rest, of a group whose reactors have all ended.
func (q *retireQueue) closeAll() {
	for _, r := range q.fds {
		closeFD(r.fd)
	}
	q.fds = nil
}
