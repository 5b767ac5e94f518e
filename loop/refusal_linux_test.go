package loop

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestRingRefusal(t *testing.T) {
	for errno, says := range map[unix.Errno]string{
		unix.EINVAL: "Linux 5.18", unix.EACCES: "security module", unix.EMFILE: "LimitNOFILE=", unix.ENOSYS: "seccomp", unix.EIO: "input/output error",
	} {
		err := fmt.Errorf("ring of reactor 1: %w", os.NewSyscallError("io_uring_setup", errno))
		if got := RingRefusal(err).String(); !strings.Contains(got, says) {
			t.Errorf("%v: %q does not say %q", errno, got, says)
		}
	}
	if got := RingRefusal(errors.Join(errors.New("one"), unix.EINVAL)); got.Why == "" || got.Remedy == "" {
		t.Errorf("joined: %+v", got)
	}
}

// TestTryRing leaves nothing behind.
func TestTryRing(t *testing.T) {
	before, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	if err := TryRing(); err != nil {
		t.Fatalf("%v: %s", err, RingRefusal(err))
	}
	if after, _ := os.ReadDir("/proc/self/fd"); len(after) != len(before) {
		t.Errorf("%d fds, before it %d", len(after), len(before))
	}
}
