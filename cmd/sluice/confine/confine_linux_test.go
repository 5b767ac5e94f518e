package confine

import (
	"errors"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

func TestSetIsNamed(t *testing.T) {
	for set, want := range map[Set]string{
		0:                    "no caps",
		Of(unix.CAP_NET_RAW): "caps net_raw",
		Of(unix.CAP_NET_ADMIN, unix.CAP_NET_RAW, unix.CAP_NET_BIND_SERVICE): "caps net_bind_service,net_admin,net_raw",
	} {
		if got := set.String(); got != want {
			t.Errorf("%#x: %s, want %s", uint64(set), got, want)
		}
	}
}

// TestSuffices: what is tried meets the kernel with the set alone, and the
// thread has the rest again.
func TestSuffices(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root has capabilities to do without")
	}
	raw := func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_UDP)
		if err == nil {
			unix.Close(fd)
		}
		return err
	}
	before, err := Held()
	if err != nil {
		t.Fatal(err)
	}
	for set, want := range map[Set]bool{Of(unix.CAP_NET_RAW): true, Of(unix.CAP_NET_ADMIN): false, 0: false} {
		if got := set.Suffices(raw); got != want {
			t.Errorf("a raw socket with %s: %v", set, got)
		}
	}
	if Of(unix.CAP_NET_RAW).Suffices(func() error { return errors.New("no") }) {
		t.Error("what fails suffices")
	}
	if after, err := Held(); err != nil || after != before || raw() != nil {
		t.Errorf("held %#x, now %#x, %v", before, after, err)
	}
}
