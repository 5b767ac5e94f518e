package inbound

import (
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"

	"sluice/redir/socket"
)

// openReturns opens a socket of each family for each worker, to which the rules
// hand UDP replies to clients. Whether another sluice has the port, socket.Probe
// cannot tell, since the listeners of this one have it too; it has told of theirs.
func (in *Inbound) openReturns(workers int, inherited *Inherited) error {
	addrs := in.ReturnAddrs()
	for _, addr := range addrs {
		err := in.openReturnsAt(addr, workers, inherited)
		if len(addrs) > 1 && errors.Is(err, unix.EAFNOSUPPORT) {
			continue // a kernel without IPv6
		}
		if err != nil {
			return fmt.Errorf("for UDP replies: %w", explainListen("udp", in.Kind, addr, err))
		}
	}
	return nil
}

func (in *Inbound) openReturnsAt(addr netip.AddrPort, workers int, inherited *Inherited) error {
	s := waitingSocket{network: unix.SOCK_DGRAM, addr: addr, returns: true}
	adopted, err := in.adopt(s, workers, true, inherited)
	if err != nil {
		return err
	}
	in.Followed = in.Followed || adopted > 0
	for s.worker = adopted; s.worker < workers; s.worker++ {
		s.fd, err = socket.Listen(addr, true, s.network)
		if adopted > 0 && errors.Is(err, unix.EADDRINUSE) {
			break // another user's process made those
		}
		if err != nil {
			return err
		}
		in.waiting = append(in.waiting, s)
	}
	return nil
}
