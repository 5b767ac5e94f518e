package doctor

import (
	"cmp"
	"encoding/binary"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"sluice/redir/sockets"
)

// opaqueHolder names a program that has a socket of the port, to which TPROXY
// hands nothing: one without IP_TRANSPARENT (nft_tproxy_eval). Empty: all are
// transparent, or nobody can tell.
func opaqueHolder(network string, port uint16) string {
	protocol, states := byte(unix.IPPROTO_TCP), uint32(1<<10) // TCP_LISTEN
	if network == "udp" {
		protocol, states = unix.IPPROTO_UDP, 1<<7 // TCP_CLOSE: unconnected
	}
	conn, err := netlink.Dial(unix.NETLINK_SOCK_DIAG, nil)
	if err != nil {
		return ""
	}
	defer conn.Close()
	opaque := ""
	for _, family := range []byte{unix.AF_INET, unix.AF_INET6} {
		const requestSize, protocolAt, statesAt = 56, 1, 4 // struct inet_diag_req_v2
		request := make([]byte, requestSize)
		request[0], request[protocolAt] = family, protocol
		binary.NativeEndian.PutUint32(request[statesAt:], states)
		messages, err := conn.Execute(netlink.Message{
			Header: netlink.Header{Type: unix.SOCK_DIAG_BY_FAMILY, Flags: netlink.Request | netlink.Dump},
			Data:   request,
		})
		if err != nil {
			continue
		}
		for _, m := range messages {
			switch held, transparent, inode := readSocket(m.Data); {
			case held != port:
			case transparent:
				return ""
			default:
				opaque = cmp.Or(sockets.Owner(uint64(inode)), "another program")
			}
		}
	}
	return opaque
}

// readSocket reads a struct inet_diag_msg and, of its attributes, the socket
// options (Linux 5.10). Without them, a socket counts as transparent.
func readSocket(data []byte) (port uint16, transparent bool, inode uint32) {
	const portAt, inodeAt, size, attrSockopt, transparentBit = 4, 68, 72, 22, 1 << 5
	if len(data) < size {
		return 0, true, 0
	}
	transparent = true
	if attributes, err := netlink.NewAttributeDecoder(data[size:]); err == nil {
		for attributes.Next() {
			if options := attributes.Bytes(); attributes.Type() == attrSockopt && len(options) > 0 {
				transparent = options[0]&transparentBit != 0
			}
		}
	}
	return binary.BigEndian.Uint16(data[portAt:]), transparent, binary.NativeEndian.Uint32(data[inodeAt:])
}
