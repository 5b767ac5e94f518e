package rules

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"sluice/redir/sockets"
)

// ownerOf names the process that the table's facts tell of, while it lives, or
// the one whose netlink socket owns the table, as the kernel tells.
func ownerOf(found seen) string {
	owner := found.facts.Owner
	if found.portID == 0 {
		return owner
	}
	if pid, ok := strings.CutPrefix(owner, "pid "); ok {
		if _, err := os.Stat("/proc/" + pid); err == nil {
			return owner
		}
	}
	pid, program := processOf(found.portID)
	if pid == 0 {
		return fmt.Sprintf("a process that is not seen from here, netlink port %d", found.portID)
	}
	return fmt.Sprintf("pid %d, program %q", pid, program)
}

// processOf finds the process that has the netlink socket of a port id: the
// number is a pid only for the first socket of a process (netlink_autobind).
// Zero: it is not seen from here.
func processOf(portID uint32) (pid int, program string) {
	inode := netlinkInode(portID)
	if inode == 0 {
		return 0, ""
	}
	return sockets.Process(inode)
}

// netlinkInode looks a socket of nfnetlink up in /proc/net/netlink, whose
// columns are sk, Eth (the protocol), Pid (the port id), and last the inode.
func netlinkInode(portID uint32) (inode uint64) {
	table, _ := os.ReadFile("/proc/thread-self/net/netlink")
	for line := range strings.Lines(string(table)) {
		fields := strings.Fields(line)
		if len(fields) >= 10 && fields[1] == strconv.Itoa(unix.NETLINK_NETFILTER) && fields[2] == strconv.FormatUint(uint64(portID), 10) {
			inode, _ = strconv.ParseUint(fields[len(fields)-1], 10, 64)
			return inode
		}
	}
	return 0
}
