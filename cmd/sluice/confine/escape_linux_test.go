package confine

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// prisonerVariable has a test binary confine itself and try to get out, in the
// directory that is its value.
const prisonerVariable = "SLUICE_TEST_PRISONER"

func TestMain(m *testing.M) {
	if dir := os.Getenv(prisonerVariable); dir != "" {
		os.Exit(escape(dir))
	}
	os.Exit(m.Run())
}

// TestEscape builds this test as the program is built, without cgo, and has it
// try what a relay that was taken over might: on threads from before the
// confinement, and on new ones.
func TestEscape(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("what root loses, only root can show")
	}
	prisoner := filepath.Join(t.TempDir(), "prisoner")
	build := exec.Command("go", "test", "-c", "-o", prisoner, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	dir := t.TempDir()
	for file, text := range map[string]string{"may/config": "old", "outside": "secret", "room/file": "", "logs/old": ""} {
		path := filepath.Join(dir, file)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(prisoner)
	cmd.Env = append(os.Environ(), prisonerVariable+"="+dir)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	for line := range bytes.Lines(out) {
		t.Logf("%s", line)
	}
}

// escape confines the process and returns how many ways out are open.
func escape(dir string) (open int) {
	works, stop := make(chan func()), make(chan struct{})
	defer close(stop)
	for range 3 { // threads of before
		go func() {
			runtime.LockOSThread()
			for {
				select {
				case f := <-works:
					f()
				case <-stop:
					return
				}
			}
		}()
	}
	ring, err := openRing()
	if err != nil {
		fmt.Println("no ring:", err)
		return 1
	}
	holds, err := Confine(Needs{
		Capabilities: Of(unix.CAP_NET_RAW, unix.CAP_NET_BIND_SERVICE),
		Netlink:      []int{unix.NETLINK_ROUTE, unix.NETLINK_SOCK_DIAG},
		Read:         []string{filepath.Join(dir, "may"), "/proc/sys/net/ipv4/ip_local_port_range", "/nonexistent"},
		Remove:       []string{filepath.Join(dir, "room")},
		Make:         []string{filepath.Join(dir, "logs")},
		Rings:        true,
	})
	fmt.Println("holds:", strings.Join(holds, ", "))
	if err != nil {
		fmt.Println("does not hold:", err)
		if !errors.Is(err, errNoLandlock) || len(holds) != 3 {
			open++
		}
	}
	ways := slices.Concat(waysOut(), filesOf(dir, err == nil), ring.ways(dir))
	failed := make(chan int)
	for range 3 {
		works <- func() { failed <- tryAll(ways) }
		open += <-failed
	}
	go func() {
		runtime.LockOSThread() // and never unlock: a new thread
		failed <- tryAll(ways)
	}()
	return open + <-failed
}

// tryAll tries on the calling thread, and returns how much succeeded that must
// not, or failed that must succeed.
func tryAll(ways []way) (wrong int) {
	for _, way := range ways {
		if err := way.try(); !errors.Is(err, way.want) {
			fmt.Printf("%s: %v, want %v\n", way.name, err, way.want)
			wrong++
		}
	}
	return wrong
}

type way struct {
	name string
	try  func() error
	want error // nil: it must succeed
}

func waysOut() []way {
	syscall := func(number uintptr, arguments ...uintptr) func() error {
		var a [6]uintptr
		copy(a[:], arguments)
		return func() error {
			if _, _, errno := unix.Syscall6(number, a[0], a[1], a[2], a[3], a[4], a[5]); errno != 0 {
				return errno
			}
			return nil
		}
	}
	socket := func(family, kind, protocol int) func() error {
		return func() error {
			fd, err := unix.Socket(family, kind|unix.SOCK_CLOEXEC, protocol)
			if err == nil {
				unix.Close(fd)
			}
			return err
		}
	}
	return []way{
		{"execve", func() error { return unix.Exec("/bin/true", []string{"true"}, nil) }, unix.EPERM},
		{"fork", func() error { return exec.Command("/bin/true").Run() }, os.ErrPermission},
		{"ptrace", syscall(unix.SYS_PTRACE, unix.PTRACE_TRACEME), unix.EPERM},
		{"process_vm_readv", syscall(unix.SYS_PROCESS_VM_READV, uintptr(os.Getppid())), unix.EPERM},
		{"bpf", syscall(unix.SYS_BPF), unix.EPERM},
		{"perf_event_open", syscall(unix.SYS_PERF_EVENT_OPEN), unix.EPERM},
		{"userfaultfd", syscall(unix.SYS_USERFAULTFD), unix.EPERM},
		{"io_uring_setup", syscall(unix.SYS_IO_URING_SETUP), unix.EPERM},
		{"mount", func() error { return unix.Mount("none", "/tmp", "tmpfs", 0, "") }, unix.EPERM},
		{"open_tree", syscall(unix.SYS_OPEN_TREE), unix.EPERM},
		{"chroot", func() error { return unix.Chroot("/") }, unix.EPERM},
		{"setns", syscall(unix.SYS_SETNS), unix.EPERM},
		{"unshare", func() error { return unix.Unshare(unix.CLONE_NEWUSER) }, unix.EPERM},
		{"a user namespace", syscall(unix.SYS_CLONE, unix.CLONE_NEWUSER|uintptr(unix.SIGCHLD)), unix.EPERM},
		{"keyctl", syscall(unix.SYS_KEYCTL), unix.EPERM},
		{"init_module", syscall(unix.SYS_INIT_MODULE), unix.EPERM},
		{"kexec_load", syscall(unix.SYS_KEXEC_LOAD), unix.EPERM},
		{"reboot", syscall(unix.SYS_REBOOT), unix.EPERM},
		{"personality", syscall(unix.SYS_PERSONALITY, 0xffffffff), unix.EPERM},
		{"clock_settime", syscall(unix.SYS_CLOCK_SETTIME), unix.EPERM},
		{"a call of tomorrow", syscall(newestCall + 40), unix.ENOSYS},
		{"a signal to the parent", func() error { return unix.Kill(os.Getppid(), 0) }, unix.EPERM},
		{"executable memory", func() error {
			_, err := unix.MmapPtr(-1, 0, nil, 4096, unix.PROT_READ|unix.PROT_EXEC, unix.MAP_PRIVATE|unix.MAP_ANON)
			return err
		}, unix.EPERM},
		{"packet socket", socket(unix.AF_PACKET, unix.SOCK_RAW, 0), unix.EAFNOSUPPORT},
		{"netfilter socket", socket(unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_NETFILTER), unix.EAFNOSUPPORT},
		{"raised capabilities", raise, unix.EPERM},
		{"an interface down", takeDown, unix.EPERM},

		{"a UDP socket", socket(unix.AF_INET6, unix.SOCK_DGRAM, 0), nil},
		{"a raw socket", socket(unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_UDP), nil},
		{"a diag socket", socket(unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_SOCK_DIAG), nil},
		{"memory", func() error {
			_, err := unix.MmapPtr(-1, 0, nil, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
			return err
		}, nil},
	}
}

func filesOf(dir string, hasLandlock bool) []way {
	read := func(path string) func() error {
		return func() error { _, err := os.ReadFile(path); return err }
	}
	write := func(path string) func() error {
		return func() error { return os.WriteFile(path, []byte("new"), 0o644) }
	}
	config := filepath.Join(dir, "may/config")
	ways := []way{
		{"the configuration", read(config), nil},
		{"the range of ports", read("/proc/sys/net/ipv4/ip_local_port_range"), nil},
		{"chmod", func() error { return os.Chmod(config, 0o777) }, unix.EPERM},
	}
	if !hasLandlock {
		return ways
	}
	return append(ways,
		way{"another file", read(filepath.Join(dir, "outside")), unix.EACCES},
		way{"the shadow file", read("/etc/shadow"), unix.EACCES},
		way{"memory of the parent", read(fmt.Sprintf("/proc/%d/environ", os.Getppid())), unix.EACCES},
		way{"a new configuration", write(config), unix.EACCES},
		way{"a new file", write(filepath.Join(dir, "may/new")), unix.EACCES},
		way{"a removed file", func() error { return os.Remove(config) }, unix.EACCES},
		way{"a removed file of a directory for it", func() error {
			if err := os.Remove(filepath.Join(dir, "room/file")); !errors.Is(err, os.ErrNotExist) { // of the thread before
				return err
			}
			return nil
		}, nil},
		way{"a new file there", write(filepath.Join(dir, "room/new")), unix.EACCES},
		way{"a new file of a directory for them", func() error {
			file, err := os.OpenFile(filepath.Join(dir, "logs/new"), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
			if err != nil {
				return err
			}
			return file.Close()
		}, nil},
		way{"what is read there", read(filepath.Join(dir, "logs/old")), unix.EACCES},
		way{"a removed file there", func() error { return os.Remove(filepath.Join(dir, "logs/old")) }, unix.EACCES},
		way{"a unix socket by path", func() error {
			fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
			if err != nil {
				return err
			}
			defer unix.Close(fd)
			return unix.Bind(fd, &unix.SockaddrUnix{Name: filepath.Join(dir, "may/socket")})
		}, unix.EACCES})
}

// raise asks for every capability.
func raise() error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	halves := [2]unix.CapUserData{{Effective: 1 << unix.CAP_NET_ADMIN, Permitted: 1 << unix.CAP_NET_ADMIN}}
	return unix.Capset(&header, &halves[0])
}

// takeDown takes an interface down. Whether it may is asked before whether there
// is one (dev_ioctl).
func takeDown() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	request, err := unix.NewIfreq("sluice-none")
	if err != nil {
		return err
	}
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, request)
}
