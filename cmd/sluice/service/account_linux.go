package service

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// keptCapabilities are what carrying traffic needs: transparent sockets, marks
// and rules; raw sockets for replies; listeners below port 1024, and replies
// from there.
const keptCapabilities = 1<<unix.CAP_NET_ADMIN | 1<<unix.CAP_NET_RAW | 1<<unix.CAP_NET_BIND_SERVICE

// Account is a user of this machine.
type Account struct {
	name     string
	uid, gid int
}

// FindAccount looks a user up, by name or number, whom this process may become.
func FindAccount(name string) (Account, error) {
	found, err := user.Lookup(name)
	if err != nil {
		if byID, errID := user.LookupId(name); errID == nil {
			found, err = byID, nil
		}
	}
	if err != nil {
		return Account{}, fmt.Errorf("--user %s: there is no such user; make one with useradd --system %s", name, name)
	}
	uid, err1 := strconv.Atoi(found.Uid)
	gid, err2 := strconv.Atoi(found.Gid)
	if err := errors.Join(err1, err2); err != nil {
		return Account{}, fmt.Errorf("--user %s: %w", name, err)
	}
	if now := os.Geteuid(); now != 0 && now != uid {
		return Account{}, fmt.Errorf("--user %s: only root can become another user; start sluice as root, or leave --user out", name)
	}
	return Account{name, uid, gid}, nil
}

// UID is its number.
func (a Account) UID() int { return a.uid }

// Become makes every thread of the process the account's, with the kept
// capabilities alone (as far as the process has them), no supplementary group,
// and no way to gain anything by running another program. When it fails, the
// process is in between and must end.
func (a Account) Become() error {
	held, err := heldCapabilities()
	if err != nil {
		return fmt.Errorf("--user %s: %w", a.name, err)
	}
	steps := []struct {
		what string
		do   func() error
	}{
		{"no new privileges", func() error { return prctlAll(unix.PR_SET_NO_NEW_PRIVS, 1) }},
		{"bounding set", boundCapabilities},
		{"keep capabilities", func() error { return prctlAll(unix.PR_SET_KEEPCAPS, 1) }},
		{"identity", a.identify},
		{"ambient capabilities", func() error { return prctlAll(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL) }},
		{"capabilities", func() error { return capsetAll(held & keptCapabilities) }},
		{"keep capabilities", func() error { return prctlAll(unix.PR_SET_KEEPCAPS, 0) }},
	}
	for _, step := range steps {
		err := step.do()
		if errors.Is(err, syscall.ENOTSUP) {
			return fmt.Errorf("--user %s: this sluice was built with cgo, which cannot change all threads; build it with CGO_ENABLED=0", a.name)
		}
		if err != nil {
			return fmt.Errorf("--user %s: %s: %w", a.name, step.what, err)
		}
	}
	return nil
}

// identify sets the user and the groups, which syscall does on all threads.
func (a Account) identify() error {
	if os.Geteuid() != 0 {
		return nil // already the account: FindAccount has looked
	}
	if err := syscall.Setgroups(nil); err != nil {
		return os.NewSyscallError("setgroups", err)
	}
	if err := syscall.Setresgid(a.gid, a.gid, a.gid); err != nil {
		return os.NewSyscallError("setresgid", err)
	}
	return os.NewSyscallError("setresuid", syscall.Setresuid(a.uid, a.uid, a.uid))
}

// boundCapabilities takes what is not kept from the bounding set. Without
// CAP_SETPCAP that cannot be done; no new privileges makes the set moot then.
func boundCapabilities() error {
	for c := uintptr(0); c <= 63; c++ { // capabilities are a 64-bit set, capget(2)
		if keptCapabilities&(1<<c) != 0 {
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

// heldCapabilities is the permitted set, a bit for each.
func heldCapabilities() (uint64, error) {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var halves [2]unix.CapUserData
	if err := unix.Capget(&header, &halves[0]); err != nil {
		return 0, os.NewSyscallError("capget", err)
	}
	return uint64(halves[0].Permitted) | uint64(halves[1].Permitted)<<32, nil
}
