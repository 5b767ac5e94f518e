package redir

import (
	"time"

	"sluice/redir/inbound"
)

// openInbounds opens the listeners of all inbounds, or none. Ports that those
// of gone hold are free for them.
func (s *Server) openInbounds(specs []inbound.Spec, gone []*inbound.Inbound, udpTimeout time.Duration) ([]*inbound.Inbound, error) {
	var opened []*inbound.Inbound
	for _, spec := range specs {
		s.lastID++
		in := inbound.New(spec, s.lastID, udpTimeout)
		if err := in.Open(len(s.workers), in.TCP, in.UDP, gone); err != nil {
			closeInbounds(opened)
			return nil, err
		}
		opened = append(opened, in)
	}
	return opened, nil
}

// closeInbounds closes what no worker has taken over.
func closeInbounds(inbounds []*inbound.Inbound) {
	for _, in := range inbounds {
		in.Close()
	}
}
