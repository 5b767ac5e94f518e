package rules

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// cgroup matches packets of the processes below a cgroup v2 path. The kernel
// knows a cgroup by its id, which is its directory's inode (kernfs_ino), and
// asks for the ancestor of the socket's cgroup at the same depth.
func cgroup(path string) ([]expr.Any, error) {
	mount, err := cgroupMount()
	if err != nil {
		return nil, fmt.Errorf("exclude cgroup %q: %w", path, err)
	}
	var stat unix.Stat_t
	if err := unix.Stat(filepath.Join(mount, path), &stat); err != nil {
		return nil, fmt.Errorf("exclude cgroup %q: %w: see ls %s", path, os.NewSyscallError("stat", err), mount)
	}
	level := uint32(cgroupLevel(path))
	return []expr.Any{
		&expr.Socket{Key: expr.SocketKeyCgroupv2, Level: level, Register: reg},
		equal(binary.NativeEndian.AppendUint64(nil, stat.Ino)),
	}, nil
}

// cgroupMount is where cgroup v2 is mounted: /sys/fs/cgroup, or unified below
// it on hosts that still mount version 1.
func cgroupMount() (string, error) {
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(mounts)) {
		if fields := strings.Fields(line); len(fields) > 2 && fields[2] == "cgroup2" {
			return fields[1], nil
		}
	}
	return "", fmt.Errorf("no cgroup v2 is mounted: mount -t cgroup2 none /sys/fs/cgroup")
}
