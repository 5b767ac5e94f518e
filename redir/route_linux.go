package redir

import "sluice/redir/outbound"

// newRouter is that of the inbounds that are open.
func (s *Server) newRouter() *outbound.Router { return outbound.NewRouter(s.inbounds) }
