package socket

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"sluice/redir/quote"
)

// HolderOf names the process that listens on addr's port, as far as /proc
// shows it (proc_pid_net(5)); empty where it does not.
func HolderOf(network string, addr netip.AddrPort) string {
	tables := []string{"/proc/net/" + network, "/proc/net/" + network + "6"}
	if addr.Addr().Is6() {
		slices.Reverse(tables)
	}
	for _, table := range tables {
		for _, inode := range inodesOf(table, addr) {
			if holder := processOf(inode); holder != "" {
				return holder
			}
		}
	}
	return ""
}

// inodesOf finds the sockets bound to addr, or to its port on a wildcard, in a
// table of /proc/net.
func inodesOf(file string, addr netip.AddrPort) (inodes []string) {
	f, err := os.Open(file)
	if err != nil {
		return nil
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		const local, remote, inode = 1, 2, 9
		if len(fields) <= inode || !strings.HasSuffix(fields[remote], ":0000") {
			continue
		}
		bound, ok := parseProcAddr(fields[local])
		if !ok || bound.Port() != addr.Port() {
			continue
		}
		if bound.Addr().IsUnspecified() || addr.Addr().IsUnspecified() || bound.Addr() == addr.Addr() {
			inodes = append(inodes, fields[inode])
		}
	}
	return inodes
}

// parseProcAddr reads 0100007F:3039: the address in words of the host's
// order, the port in hexadecimal.
func parseProcAddr(text string) (netip.AddrPort, bool) {
	host, portText, ok := strings.Cut(text, ":")
	raw, err := hex.DecodeString(host)
	if !ok || err != nil || len(raw)%4 != 0 {
		return netip.AddrPort{}, false
	}
	for word := range slices.Chunk(raw, 4) {
		slices.Reverse(word)
	}
	addr, ok := netip.AddrFromSlice(raw)
	port, err := strconv.ParseUint(portText, 16, 16)
	return netip.AddrPortFrom(addr.Unmap(), uint16(port)), ok && err == nil
}

// processOf finds a process that has the socket with this inode open.
func processOf(inode string) string {
	want := "socket:[" + inode + "]"
	fds, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	for _, fd := range fds {
		if target, err := os.Readlink(fd); err != nil || target != want {
			continue
		}
		process := filepath.Dir(filepath.Dir(fd))
		name, _ := os.ReadFile(filepath.Join(process, "comm"))
		return fmt.Sprintf("%s (pid %s)", quote.Name(strings.TrimSpace(string(name))), filepath.Base(process))
	}
	return ""
}
