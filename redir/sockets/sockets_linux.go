package sockets

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"iter"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Socket is one of a table.
type Socket struct {
	Table         string
	Local, Remote netip.AddrPort // an IPv4 address in IPv6's form is the IPv4 address
	State         State
	Inode         uint64 // 0: no process has it any more
}

// State is the kernel's (include/net/tcp_states.h).
type State uint8

// Some of the states.
const (
	Established State = 1
	Unconnected State = 7  // a UDP socket without a peer
	Listening   State = 10 // TCP alone
)

// Here yields the sockets of tables, one table after the other, of the calling
// thread's network namespace. A table that cannot be read has none.
func Here(tables ...string) iter.Seq[Socket] { return in("thread-self", tables) }

// Of is Here for the network namespace of a process.
func Of(pid int, tables ...string) iter.Seq[Socket] { return in(strconv.Itoa(pid), tables) }

func in(process string, tables []string) iter.Seq[Socket] {
	return func(yield func(Socket) bool) {
		for _, table := range tables {
			if !read(process, table, yield) {
				return
			}
		}
	}
}

// read yields what is in one table; false: nothing more is wanted.
func read(process, table string, yield func(Socket) bool) bool {
	file, err := os.Open(filepath.Join("/proc", process, "net", table))
	if err != nil {
		return true
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if s, ok := parse(lines.Text()); ok {
			s.Table = table
			if !yield(s) {
				return false
			}
		}
	}
	return true
}

// parse reads a line; not ok: it is the headings, or no line of such a table.
func parse(line string) (s Socket, ok bool) {
	const local, remote, state, inode = 1, 2, 3, 9
	fields := strings.Fields(line)
	if len(fields) <= inode {
		return Socket{}, false
	}
	var fine [2]bool
	s.Local, fine[0] = parseAddr(fields[local])
	s.Remote, fine[1] = parseAddr(fields[remote])
	number, err := strconv.ParseUint(fields[state], 16, 8)
	if err != nil || fine != [2]bool{true, true} {
		return Socket{}, false
	}
	s.State = State(number)
	s.Inode, err = strconv.ParseUint(fields[inode], 10, 64)
	return s, err == nil
}

// parseAddr reads 0100007F:3039: the address in words of the host's order, the
// port in hexadecimal.
func parseAddr(text string) (netip.AddrPort, bool) {
	host, portText, _ := strings.Cut(text, ":")
	raw, err := hex.DecodeString(host)
	if err != nil || len(raw)%4 != 0 {
		return netip.AddrPort{}, false
	}
	for word := raw; len(word) > 0; word = word[4:] {
		binary.NativeEndian.PutUint32(word, binary.BigEndian.Uint32(word))
	}
	addr, ok := netip.AddrFromSlice(raw)
	port, err := strconv.ParseUint(portText, 16, 16)
	return netip.AddrPortFrom(addr.Unmap(), uint16(port)), ok && err == nil
}
