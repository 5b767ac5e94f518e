package main

import (
	"fmt"
	"strings"

	"sluice/redir/resolve"
)

// forward is LISTEN=DEST[,tcp][,udp] on the command line; both networks where none
// is named.
type forward struct {
	listen   listenAddr
	dest     resolve.Target
	tcp, udp bool
}

func (f *forward) UnmarshalText(text []byte) (err error) {
	*f = forward{}
	listen, rest, ok := strings.Cut(string(text), "=")
	if !ok {
		return fmt.Errorf("%q: want LISTEN=DEST, as :8080=10.0.0.5:80 or 192.0.2.1:53=dns.example:53,udp", text)
	}
	if err = f.listen.UnmarshalText([]byte(listen)); err != nil {
		return err
	}
	dest, networks, some := strings.Cut(rest, ",")
	if f.dest, err = resolve.ParseTarget(dest, f.listen.Port()); err != nil {
		return err
	}
	if !some {
		f.tcp, f.udp = true, true
		return nil
	}
	for network := range strings.SplitSeq(networks, ",") {
		switch network {
		case "tcp":
			f.tcp = true
		case "udp":
			f.udp = true
		default:
			return fmt.Errorf("%q: %q is no network; want tcp, udp or neither for both", text, network)
		}
	}
	return nil
}

func (f forward) String() string {
	text := f.listen.String() + "=" + f.dest.String()
	switch {
	case !f.udp:
		text += ",tcp"
	case !f.tcp:
		text += ",udp"
	}
	return text
}
