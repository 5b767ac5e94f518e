package rules

// Chains that others jump to.
const (
	chainOwned    = "owned"    // packets that a transparent socket of this machine has
	chainAgain    = "again"    // the same, marked a second time
	chainRemember = "remember" // flows that are diverted
	chainHistory  = "history"  // leaves flows alone that are not for sluice by their history
	chainDeliver  = "deliver"  // to sluice's listeners
	chainRound    = "round"    // what came through lo
)

// owned takes packets of connections that sluice has, but not what a listener
// on every address would take: a packet to any host at the listener's own port
// number. Only a chain of its own can tell: `socket wildcard 0` ends its rule
// at a request socket, which a handshake's last ACK finds (nft_socket_eval).
func owned(s Spec, name string, count ...term) chain {
	c := chain{name: name}
	c.add([]term{wildcardSocket{}, goBack})
	c.add(append(append([]term{setMark{s.Mark, s.Mask}}, count...), accept))
	return c
}

// running jumps to owned with packets of TCP connections that are there.
func running(s Spec, owned jump) [][]term {
	if !s.carries(protoTCP) && s.diverts() {
		return nil
	}
	return [][]term{{protoIs{protoTCP}, notOpening{}, transparentSocket{}, owned}}
}

// errorsOf jumps to owned with ICMP errors about packets that such sockets
// sent: without, those that name a server would be forwarded to it. They may
// arrive at any interface.
func errorsOf(owned jump) [][]term {
	return [][]term{
		{icmpError{familyIPv4}, transparentSocket{}, owned},
		{icmpError{familyIPv6}, transparentSocket{}, owned},
	}
}

// tooBigs delivers here what routers say of UDP replies that are too big for
// the way to a client: no socket has the address that they name, but the flow
// is known. IPv4's replies bear no DF, so nobody says it of them.
func tooBigs(s Spec) [][]term {
	if !s.carries(protoUDP) {
		return nil
	}
	taken := []term{setMark{s.Mark, s.Mask}, countIn{countRunning}, accept}
	return [][]term{
		append([]term{tooBig6{}, ctMarkIs{s.CTMark, s.CTMask}}, taken...),
		append([]term{tooBig6{}, ctLabelIs{rememberLabel}}, taken...),
	}
}

// remember notes in the flow's conntrack entry that it is diverted: in a bit
// of its mark, and in a label, for when others save a whole mark over that bit.
// (A label alone would not do: an entry from before the rules has no room for
// one, nf_ct_labels_ext_add.)
func remember(s Spec) chain {
	c := chain{name: chainRemember}
	c.add([]term{ctMarkIs{s.CTMark, s.CTMask}, accept}) // most packets end here
	c.add([]term{setCtMark{s.CTMark, s.CTMask}})
	c.add([]term{setCtLabel{rememberLabel}})
	c.add([]term{accept})
	return c
}

// history leaves alone replies (of connections that others began to what is
// behind the gateway, which are never for sluice), and flows under way. Of a
// packet that is not tracked nothing is known.
func history(s Spec) chain {
	c := chain{name: chainHistory}
	c.add(wasLeft(s)...)
	c.add([]term{ctWithout{}, goBack})
	c.add([]term{ctMarkIs{s.CTMark, s.CTMask}, goBack})
	c.add([]term{ctLabelIs{rememberLabel}, goBack})
	if s.zoned() { // sluice's own flow, with the client's address and port: no socket has the packet any more
		c.add([]term{ctMarkIs{s.CTOwn, s.CTOwnMask}, goBack}, []term{ctLabelIs{ownLabel}, goBack})
	}
	c.add([]term{ctReply{}, accept})
	if s.Established == Keep {
		c.add([]term{ctUnderWay{}, accept})
	}
	return c
}

// round knows what the output chain sent round: by the fwmark, and where
// somebody restored another mark since, by the flow.
func round(s Spec) chain {
	c := chain{name: chainRound}
	c.add([]term{markIs{s.Mark, s.Mask}, goBack})
	c.add([]term{ctMarkIs{s.CTMark, s.CTMask}, goBack})
	c.add([]term{ctLabelIs{rememberLabel}, goBack})
	c.add([]term{accept})
	return c
}
