package redir

// OutboundState is how an outbound stands.
type OutboundState struct {
	Tag, Kind string
	Up        bool // its server was reached of late; of a group, that of a member
}

// Outbounds are those that are open, in their order.
func (s *Server) Outbounds() (all []OutboundState) {
	for _, o := range s.outs.Load().All {
		all = append(all, OutboundState{Tag: o.Tag, Kind: o.Kind.String(), Up: !o.IsDown()})
	}
	return all
}
