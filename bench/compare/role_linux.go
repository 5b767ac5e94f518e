package compare

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"path/filepath"

	"sluice/bench/lab"
)

// divert sets up the gateway of a peer in a role: its rules, where it does not set
// them itself, and what keeps its clients from getting past it.
func (p *peer) divert(ctx context.Context) error {
	gw, text := p.lab.Gateway, guardRules(p.Role)
	if p.rules != "" {
		text += p.rules
		if err := routeMarked(ctx, gw); err != nil {
			return err
		}
	}
	if err := setRules(ctx, gw, filepath.Join(p.dir, fmt.Sprintf("rules%d.nft", p.index)), text); err != nil {
		return err
	}
	if p.Role != Source {
		return nil
	}
	return shortConntrack(gw)
}

// checkRole asks a peer in a role what it can be asked there.
func (p *peer) checkRole() []Check {
	tcp, err := newCheckServer(p.lab.Server, p.dest()+portCheck)
	if err != nil {
		return []Check{{Name: checkBytes, Verdict: Wrong, Detail: err.Error()}}
	}
	defer tcp.close()
	checks := []Check{
		answer(checkBytes, p.checkBytes()),
		answer(checkHalf, p.checkHalfClose()),
		answer(checkReset, p.checkServerReset()),
	}
	if p.udp {
		checks = append(checks, p.checkUDP()...)
	}
	if p.shows {
		checks = append(checks, answer(checkShown, p.checkShown()))
	}
	return checks
}

// checkShown asks a server of each transport whom it sees.
func (p *peer) checkShown() error {
	conn, err := p.command(p.at(portCheck), sayClient)
	if err != nil {
		return err
	}
	defer conn.Close()
	text, err := io.ReadAll(conn)
	if err != nil {
		return err
	}
	if seen, err := netip.ParseAddrPort(string(text)); err != nil || seen.Addr().Unmap().String() != lab.Client4 {
		return fmt.Errorf("by TCP the server sees %q, not %s", text, lab.Client4)
	}
	if !p.udp {
		return nil
	}
	return p.checkShownUDP()
}

func (p *peer) checkShownUDP() error {
	server, err := p.udpEcho(netip.MustParseAddrPort(fmt.Sprintf("%s:%d", serverAddress, p.dest()+portCheck)))
	if err != nil {
		return err
	}
	defer server.Close()
	var client *net.UDPConn
	if err := p.lab.Client.Do(func() (err error) {
		client, err = net.ListenUDP("udp4", &net.UDPAddr{IP: net.ParseIP(lab.Client4)})
		return err
	}); err != nil {
		return err
	}
	defer client.Close()
	seen, err := askSeen(client, p.at(portCheck))
	if own := client.LocalAddr().(*net.UDPAddr).AddrPort(); err == nil && seen != own {
		err = fmt.Errorf("by UDP the server sees %s, not %s", seen, own)
	}
	return err
}
