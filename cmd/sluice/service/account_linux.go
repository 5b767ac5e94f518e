package service

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"syscall"

	"sluice/cmd/sluice/confine"
)

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

// GID is the number of its group.
func (a Account) GID() int { return a.gid }

// Become makes every thread of the process the account's, with no supplementary
// group, and no way to gain anything by running another program. The permitted
// capabilities stay, and are none of them effective: confine.Set.Keep comes next.
// When it fails, the process is in between and must end.
func (a Account) Become() error {
	steps := []struct {
		what string
		do   func() error
	}{
		{"no new privileges", confine.NoNewPrivileges},
		{"keep capabilities", func() error { return confine.KeepCapabilities(true) }},
		{"identity", a.identify},
		{"keep capabilities", func() error { return confine.KeepCapabilities(false) }},
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
