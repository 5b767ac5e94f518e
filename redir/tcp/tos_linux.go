package tcp

import (
	"golang.org/x/sys/unix"

	"sluice/redir/inbound"
	"sluice/redir/socket"
)

// relabel gives the listener another inbound, which has its address.
func (l *listener) relabel(in *inbound.Inbound) {
	saves := l.in != nil && l.in.Path.TOS.Copy
	l.in = in
	if save := in.Path.TOS.Copy; save != saves && l.fd >= 0 {
		value := int32(0)
		if save {
			value = 1
		}
		socket.SetInt(l.fd, unix.SOL_TCP, unix.TCP_SAVE_SYN, value)
	}
}

// tosOf is the type of service of the upstream of the accepted connection fd. Where
// it is copied from the client's SYN, what is sent to the client has it too, as with
// net.ipv4.tcp_reflect_tos. One that came with a SYN cookie has none: nothing of it
// was kept.
func (l *listener) tosOf(fd int) uint8 {
	t := l.in.Path.TOS
	if !t.Copy {
		return t.Value
	}
	tos := socket.SYNTOS(fd)
	if tos != 0 {
		socket.SetTOS(fd, l.family, tos)
	}
	return tos
}
