package confine

import (
	"encoding/binary"
	"runtime"
	"slices"
	"testing"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// call is a system call as the filter sees it.
type call struct {
	machine, number uint32
	arguments       [6]uint64
}

// packet is struct seccomp_data as the library's machine reads words: it takes
// network order for this machine's.
func (c call) packet() []byte {
	words := []uint32{c.number, c.machine, 0, 0}
	for _, a := range c.arguments {
		low, high := uint32(a), uint32(a>>32)
		if binary.NativeEndian.Uint16([]byte{0, 1}) == 1 {
			low, high = high, low
		}
		words = append(words, low, high)
	}
	var b []byte
	for _, w := range words {
		b = binary.BigEndian.AppendUint32(b, w)
	}
	return b
}

func TestFilter(t *testing.T) {
	const pid = 77
	machine, ok := auditMachine(runtime.GOARCH)
	if !ok {
		t.Fatalf("no machine for %s", runtime.GOARCH)
	}
	n := Needs{Netlink: []int{unix.NETLINK_ROUTE, unix.NETLINK_SOCK_DIAG}}
	vm, err := bpf.NewVM(n.filter(machine, pid))
	if err != nil {
		t.Fatal(err)
	}
	const garbage = 0xdead << 32 // in a high word that the kernel does not read
	errno := func(e unix.Errno) uint32 { return fails | uint32(e) }
	for name, c := range map[string]struct {
		call
		want uint32
	}{
		"read":                  {call{number: unix.SYS_READ}, allow},
		"madvise":               {call{number: unix.SYS_MADVISE}, allow},
		"execve":                {call{number: unix.SYS_EXECVE}, errno(unix.EPERM)},
		"a read of another ABI": {call{machine: 1, number: unix.SYS_READ}, errno(unix.EPERM)},
		"a call of tomorrow":    {call{number: newestCall + 1}, errno(unix.ENOSYS)},
		"clone3":                {call{number: unix.SYS_CLONE3}, errno(unix.ENOSYS)},
		"a thread":              {call{number: unix.SYS_CLONE, arguments: [6]uint64{unix.CLONE_THREAD | unix.CLONE_VM}}, allow},
		"a process":             {call{number: unix.SYS_CLONE, arguments: [6]uint64{uint64(unix.SIGCHLD)}}, errno(unix.EPERM)},
		"a namespace":           {call{number: unix.SYS_CLONE, arguments: [6]uint64{unix.CLONE_NEWUSER}}, errno(unix.EPERM)},
		"tgkill itself":         {call{number: unix.SYS_TGKILL, arguments: [6]uint64{pid}}, allow},
		"tgkill another":        {call{number: unix.SYS_TGKILL, arguments: [6]uint64{pid + 1}}, errno(unix.EPERM)},
		"kill all":              {call{number: unix.SYS_KILL, arguments: [6]uint64{1<<64 - 1}}, errno(unix.EPERM)},
		"mprotect rw":           {call{number: unix.SYS_MPROTECT, arguments: [6]uint64{0, 0, unix.PROT_READ | unix.PROT_WRITE}}, allow},
		"mprotect rx":           {call{number: unix.SYS_MPROTECT, arguments: [6]uint64{0, 0, unix.PROT_READ | unix.PROT_EXEC}}, errno(unix.EPERM)},
		"ioctl":                 {call{number: unix.SYS_IOCTL, arguments: [6]uint64{0, unix.TIOCINQ}}, allow},
		"TIOCSTI":               {call{number: unix.SYS_IOCTL, arguments: [6]uint64{0, garbage | unix.TIOCSTI}}, errno(unix.EPERM)},
		"TIOCLINUX":             {call{number: unix.SYS_IOCTL, arguments: [6]uint64{0, unix.TIOCLINUX}}, errno(unix.EPERM)},
		"inet":                  {call{number: unix.SYS_SOCKET, arguments: [6]uint64{unix.AF_INET}}, allow},
		"inet6":                 {call{number: unix.SYS_SOCKET, arguments: [6]uint64{unix.AF_INET6, unix.SOCK_RAW, unix.IPPROTO_UDP}}, allow},
		"unix":                  {call{number: unix.SYS_SOCKET, arguments: [6]uint64{unix.AF_UNIX}}, allow},
		"packet":                {call{number: unix.SYS_SOCKET, arguments: [6]uint64{unix.AF_PACKET}}, errno(unix.EAFNOSUPPORT)},
		"disguised packet":      {call{number: unix.SYS_SOCKET, arguments: [6]uint64{garbage | unix.AF_PACKET}}, errno(unix.EAFNOSUPPORT)},
		"vsock":                 {call{number: unix.SYS_SOCKET, arguments: [6]uint64{unix.AF_VSOCK}}, errno(unix.EAFNOSUPPORT)},
		"alg":                   {call{number: unix.SYS_SOCKET, arguments: [6]uint64{unix.AF_ALG}}, errno(unix.EAFNOSUPPORT)},
		"netlink route":         {call{number: unix.SYS_SOCKET, arguments: [6]uint64{unix.AF_NETLINK, 0, unix.NETLINK_ROUTE}}, allow},
		"netlink diag":          {call{number: unix.SYS_SOCKET, arguments: [6]uint64{unix.AF_NETLINK, 0, unix.NETLINK_SOCK_DIAG}}, allow},
		"netlink netfilter":     {call{number: unix.SYS_SOCKET, arguments: [6]uint64{unix.AF_NETLINK, 0, unix.NETLINK_NETFILTER}}, errno(unix.EAFNOSUPPORT)},
		"netlink generic":       {call{number: unix.SYS_SOCKET, arguments: [6]uint64{unix.AF_NETLINK, 0, unix.NETLINK_GENERIC}}, errno(unix.EAFNOSUPPORT)},
	} {
		if c.machine == 0 {
			c.machine = machine
		}
		if got, err := vm.Run(c.packet()); err != nil || uint32(got) != c.want {
			t.Errorf("%s: %#x, %v; want %#x", name, got, err, c.want)
		}
	}
}

// TestDeniedCalls: each list denies what it names, once, and no call that the
// others let pass.
func TestDeniedCalls(t *testing.T) {
	for _, rings := range []bool{false, true} {
		testDeniedCalls(t, Needs{Netlink: []int{unix.NETLINK_ROUTE}, Rings: rings})
	}
}

func testDeniedCalls(t *testing.T, n Needs) {
	t.Helper()
	machine, _ := auditMachine(runtime.GOARCH)
	vm, err := bpf.NewVM(n.filter(machine, 1))
	if err != nil {
		t.Fatal(err)
	}
	all := slices.Concat(n.deniedCalls(), deniedHere())
	for i, number := range all {
		if got, err := vm.Run(call{machine: machine, number: number}.packet()); err != nil || uint32(got) != fails|uint32(unix.EPERM) {
			t.Errorf("call %d: %#x, %v", number, got, err)
		}
		if slices.Contains(all[:i], number) || slices.Contains(n.hotCalls(), number) {
			t.Errorf("call %d stands there twice", number)
		}
		if runtime.GOARCH != "arm" && number > newestCall {
			t.Errorf("call %d is newer than the newest", number)
		}
	}
}

// TestRingCalls: rings that are needed are entered; none is made or changed.
func TestRingCalls(t *testing.T) {
	machine, _ := auditMachine(runtime.GOARCH)
	const denied = fails | uint32(unix.EPERM)
	for _, c := range []struct {
		number         uint32
		without, rings uint32
	}{
		{unix.SYS_IO_URING_SETUP, denied, denied},
		{unix.SYS_IO_URING_REGISTER, denied, denied},
		{unix.SYS_IO_URING_ENTER, denied, allow},
	} {
		for rings, want := range map[bool]uint32{false: c.without, true: c.rings} {
			vm, err := bpf.NewVM(Needs{Netlink: []int{unix.NETLINK_ROUTE}, Rings: rings}.filter(machine, 1))
			if err != nil {
				t.Fatal(err)
			}
			if got, err := vm.Run(call{machine: machine, number: c.number}.packet()); err != nil || uint32(got) != want {
				t.Errorf("call %d, rings %v: %#x, %v; want %#x", c.number, rings, got, err, want)
			}
		}
	}
}
