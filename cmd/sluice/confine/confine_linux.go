package confine

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Needs is what the program goes on to use.
type Needs struct {
	Capabilities Set
	Netlink      []int    // protocols of netlink sockets
	Read         []string // files, and directories with what is beneath them
	Write        []string // what exists of these may be written to as well
	Make         []string // directories in which files may be made, and written to
	Remove       []string // directories from which files may be removed
	Rings        bool     // the rings of io_uring that are there may be used; no others made
}

// Confine gives up everything else, on every thread. It returns what holds, by
// name, and an error for each step that does not.
func Confine(n Needs) (holds []string, failed error) {
	for _, step := range []struct {
		what string
		do   func() (string, error)
	}{
		{"no_new_privs", func() (string, error) { return "no_new_privs", prctlAll(unix.PR_SET_NO_NEW_PRIVS, 1) }},
		{"capabilities", func() (string, error) { kept, err := n.Capabilities.Keep(); return kept.String(), err }},
		{"landlock", n.landlock},
		{"seccomp", n.seccomp},
	} {
		name, err := step.do()
		if errors.Is(err, syscall.ENOTSUP) {
			err = errCgo
		}
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", step.what, err))
			continue
		}
		holds = append(holds, name)
	}
	return holds, failed
}

// errCgo stands for ENOTSUP of syscall.AllThreadsSyscall.
var errCgo = errors.New("this sluice was built with cgo, which cannot change all threads: build it with CGO_ENABLED=0")

// NoNewPrivileges keeps every thread, and whatever it runs, from gaining
// anything by running a program.
func NoNewPrivileges() error { return prctlAll(unix.PR_SET_NO_NEW_PRIVS, 1) }

// KeepCapabilities lets a change of user leave the permitted set alone, or no
// longer.
func KeepCapabilities(keep bool) error {
	value := uintptr(0)
	if keep {
		value = 1
	}
	return prctlAll(unix.PR_SET_KEEPCAPS, value)
}

// Set is a set of capabilities: a bit for each, by its number.
type Set uint64

// Of is the set of these.
func Of(capabilities ...uint) Set {
	var s Set
	for _, c := range capabilities {
		s |= 1 << c
	}
	return s
}

// String is "caps net_admin,net_raw"; of those that sluice uses, the name.
func (s Set) String() string {
	var names []string
	for _, c := range []struct {
		bit  uint
		name string
	}{
		{unix.CAP_NET_BIND_SERVICE, "net_bind_service"}, {unix.CAP_NET_ADMIN, "net_admin"}, {unix.CAP_NET_RAW, "net_raw"},
	} {
		if s&(1<<c.bit) != 0 {
			names = append(names, c.name)
		}
	}
	if len(names) == 0 {
		return "no caps"
	}
	return "caps " + strings.Join(names, ",")
}

// Held is the permitted set of the calling thread.
func Held() (Set, error) {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var halves [2]unix.CapUserData
	if err := unix.Capget(&header, &halves[0]); err != nil {
		return 0, os.NewSyscallError("capget", err)
	}
	return Set(halves[0].Permitted) | Set(halves[1].Permitted)<<32, nil
}

// Keep gives up every capability that is not in the set: bounding, ambient,
// inheritable, permitted and effective, on every thread. Of the set it keeps what
// the process has, which is returned.
func (s Set) Keep() (kept Set, err error) {
	held, err := Held()
	if err != nil {
		return 0, err
	}
	if err := capsetAll(held); err != nil { // after a change of user, none is effective
		return 0, err
	}
	if err := s.bound(); err != nil {
		return 0, err
	}
	// Before Linux 4.3 there are no ambient capabilities to clear (EINVAL).
	if err := prctlAll(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL); err != nil && !errors.Is(err, syscall.EINVAL) {
		return 0, err
	}
	return held & s, capsetAll(held & s)
}

// bound takes what is not in the set from the bounding set. Without
// CAP_SETPCAP that cannot be done; no new privileges makes the set moot then.
func (s Set) bound() error {
	for c := uintptr(0); c <= 63; c++ { // capabilities are a 64-bit set, capget(2)
		if s&(1<<c) != 0 || unboundAlready(c) {
			continue
		}
		err := prctlAll(unix.PR_CAPBSET_DROP, c)
		if errors.Is(err, syscall.EINVAL) { // beyond the kernel's last
			return nil
		}
		if err != nil && !errors.Is(err, syscall.EPERM) {
			return err
		}
	}
	return nil
}

// unboundAlready tells whether the calling thread's bounding set lacks the
// capability, as that of the others does then: each change is one of all threads,
// for which they all stop.
func unboundAlready(c uintptr) bool {
	is, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, c, 0, 0, 0)
	return err == nil && is == 0
}
