package confine

import (
	"errors"
	"fmt"
	"os"

	"github.com/landlock-lsm/go-landlock/landlock"
	abi "github.com/landlock-lsm/go-landlock/landlock/syscall"
	"golang.org/x/sys/unix"
)

// errNoLandlock says what it takes. Linux 5.13 has it, where it is built in and
// among the kernel's lsm= at boot.
var errNoLandlock = errors.New("the kernel has none (Linux 5.13; /sys/kernel/security/lsm names it): files are guarded by their permissions alone")

// landlock lets the process open the files that it needs, and no other. What is
// open stays open, and sockets are not concerned: neither the service manager's,
// by path or abstract, nor a listener's.
//
// A rule belongs to an inode. One of procfs may be forgotten and made anew, and
// the rule with it; a descriptor for it, kept open, holds it.
func (n Needs) landlock() (string, error) {
	version, err := abi.LandlockGetABIVersion()
	if err != nil || version < 1 {
		return "", errNoLandlock
	}
	config := landlock.Config{HandledAccessFS: landlock.V8.HandledAccessFS}.BestEffort()
	var rules []landlock.Rule
	for _, grant := range []struct {
		paths            []string
		directory, files landlock.AccessFSSet
	}{
		{n.Read, abi.AccessFSReadFile | abi.AccessFSReadDir, abi.AccessFSReadFile},
		{n.Write, abi.AccessFSReadFile | abi.AccessFSReadDir | abi.AccessFSWriteFile | abi.AccessFSTruncate,
			abi.AccessFSReadFile | abi.AccessFSWriteFile | abi.AccessFSTruncate},
		{n.Make, abi.AccessFSMakeReg | abi.AccessFSWriteFile, 0},
		{n.Remove, abi.AccessFSRemoveFile, 0},
	} {
		for _, path := range grant.paths {
			access, err := pin(path, grant.directory, grant.files)
			if errors.Is(err, unix.ENOENT) {
				continue
			}
			if err != nil {
				return "", err
			}
			rules = append(rules, landlock.PathAccess(access, path))
		}
	}
	if err := config.RestrictPaths(rules...); err != nil {
		return "", err
	}
	return fmt.Sprintf("landlock v%d", version), nil
}

// pin keeps the inode of path, for as long as the process lives, and returns the
// access that there is to what it is.
func pin(path string, directory, file landlock.AccessFSSet) (landlock.AccessFSSet, error) {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", path, os.NewSyscallError("open", err))
	}
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil {
		unix.Close(fd)
		return 0, fmt.Errorf("%s: %w", path, os.NewSyscallError("fstat", err))
	}
	if stat.Mode&unix.S_IFMT == unix.S_IFDIR {
		return directory, nil
	}
	return file, nil
}
