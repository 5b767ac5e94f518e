package doctor

import (
	"errors"

	"sluice/loop"
)

// ring makes one as sluice run does, which does without where there is none.
func ring() Result {
	disabled, _ := sysctl("kernel/io_uring_disabled") // of Linux 6.6
	return judgeRing(loop.TryRing(), disabled)
}

// judgeRing takes what making one came to, and for whom there are none: 1 is for all
// but root and a group, of whom is whoever asks.
func judgeRing(err error, disabled int64) Result {
	j := judge{name: "io_uring"}
	switch {
	case err != nil:
		refusal := loop.RingRefusal(err)
		j.find(Note, refusal.Why+"; sluice makes each system call by itself, as with --engine epoll", refusal.Remedy)
	case disabled == 1:
		j.find(Note, "kernel.io_uring_disabled is 1, which leaves it to root and the group of kernel.io_uring_group; another user's sluice, as the unit's, has --engine epoll",
			setCommand("kernel/io_uring_disabled", 0))
	}
	return j.result("works")
}

// tryRing says by itself what is wrong.
func tryRing() error {
	err := loop.TryRing()
	if err == nil {
		return nil
	}
	return errors.New(loop.RingRefusal(err).Why)
}
