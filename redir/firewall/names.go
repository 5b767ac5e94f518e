package firewall

import "strings"

// metaName is nft's name of a meta key.
func metaName(key uint64) string {
	return pick(key, "length", "protocol", "priority", "mark", "iif", "oif", "iifname", "oifname", "iiftype", "oiftype",
		"skuid", "skgid", "nftrace", "rtclassid", "secmark", "nfproto", "l4proto", "ibrname", "obrname", "pkttype", "cpu",
		"iifgroup", "oifgroup", "cgroup", "random")
}

func metaOperand(key uint64) operand {
	o := operand{name: "meta " + metaName(key), write: decimal, swap: true}
	switch key {
	case metaMark:
		o.write = hexWriter
	case metaIifname, metaOifname, metaBridge, metaBridgeOut:
		o.name, o.write, o.swap, o.size = metaName(key), quoted, false, interfaceName
	case metaL4proto:
		o.write = protocolText
	case metaNfproto:
		o.write = func(value []byte) string {
			return map[uint64]string{familyIPv4: "ipv4", familyIPv6: "ipv6"}[bigInteger(value)]
		}
	case metaProtocol:
		o.swap, o.write = false, hexWriter
	}
	return o
}

func protocolText(value []byte) string {
	n := bigInteger(value)
	if name := map[uint64]string{1: "icmp", protoTCP: "tcp", protoUDP: "udp", 58: "ipv6-icmp"}[n]; name != "" {
		return name
	}
	return decimal(value)
}

// ctName is nft's name of a ct key.
func ctName(key uint64) string {
	return pick(key, "state", "direction", "status", "mark", "secmark", "expiration", "helper", "l3proto", "saddr", "daddr",
		"protocol", "proto-src", "proto-dst", "label", "packets", "bytes", "avgpkt", "zone")
}

func ctOperand(key uint64) operand {
	o := operand{name: "ct " + ctName(key), write: decimal, swap: true}
	switch key {
	case ctMark:
		o.write = hexWriter
	case ctState:
		o.write = stateText
	}
	return o
}

// stateText names the bits, as nft does for a set of states.
func stateText(value []byte) string {
	var names []string
	n := bigInteger(value)
	for _, s := range []struct {
		bit  uint64
		name string
	}{{stateInvalid, "invalid"}, {stateEstablished, "established"}, {stateRelated, "related"}, {stateNew, "new"}, {stateUntracked, "untracked"}} {
		if n&s.bit != 0 {
			names = append(names, s.name)
		}
	}
	if names == nil {
		return decimal(value)
	}
	return strings.Join(names, ",")
}

func payloadOperand(base, offset, size uint64) operand {
	type at struct{ base, offset uint64 }
	switch (at{base, offset}) {
	case at{baseNetwork, 12}:
		if size <= 4 {
			return operand{name: "ip saddr", write: addressText, size: int(min(size, 16))}
		}
	case at{baseNetwork, 16}:
		if size <= 4 {
			return operand{name: "ip daddr", write: addressText, size: int(min(size, 16))}
		}
	case at{baseNetwork, 8}:
		if size > 4 {
			return operand{name: "ip6 saddr", write: addressText, size: int(min(size, 16))}
		}
	case at{baseNetwork, 24}:
		return operand{name: "ip6 daddr", write: addressText, size: int(min(size, 16))}
	case at{baseNetwork, 9}:
		return operand{name: "ip protocol", write: protocolText}
	case at{baseNetwork, 6}:
		return operand{name: "ip6 nexthdr", write: protocolText}
	case at{baseTransport, 0}:
		return operand{name: "th sport", write: decimal}
	case at{baseTransport, 2}:
		return operand{name: "th dport", write: decimal}
	case at{baseTransport, 13}:
		return operand{name: "tcp flags", write: hexWriter}
	}
	return operand{name: "@" + pick(base, "ll", "nh", "th") + "," + decimal([]byte{byte(8 * offset)}) + "," + decimal([]byte{byte(8 * size)})}
}
