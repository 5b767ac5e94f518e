package outbound

import (
	"cmp"

	"sluice/redir/proxyproto"
	"sluice/redir/source"
	"sluice/redir/upstream"
)

// PathFrom is how sockets of the outbound leave that would leave by base without
// it. Towards a server they bear no client's address, and no PROXY header, which is
// for destinations.
func (s *Spec) PathFrom(base upstream.Path) upstream.Path {
	path := base
	path.Source = s.Source.Or(path.Source)
	path.Mark = cmp.Or(s.Mark, path.Mark)
	path.Device = cmp.Or(s.Device, path.Device)
	if s.Kind.HasServer() {
		path.SendProxy = proxyproto.SendNone
		if path.Source.OfClients() {
			path.Source = source.Source{Kind: source.Gateway}
		}
	}
	return path
}
