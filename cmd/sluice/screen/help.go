package screen

// helpLines is what the keys do.
func helpLines() (lines []*line) {
	for _, key := range [][2]string{
		{"1 2 3 4, tab", "clients, destinations, flows, refusals"},
		{"up down pgup pgdn", "choose a row; g, G: the first, the last"},
		{"s  S  r", "sort by the next, by the one before, reversed"},
		{"/", "filter; esc: without. Of flows, all words must hold:"},
		{"", "  10.0.0.7  10.0.0.0/8  client=ADDR:PORT"},
		{"", "  example.com  .example.com  destination=ADDR  :443"},
		{"", "  tcp  udp  held  state=dialing  inbound=TAG  outbound=TAG"},
		{"", "  older=1h  younger=1m  idle=30s  rate=BYTES a second"},
		{"enter", "open a flow; the flows of a client, to a destination"},
		{"k", "end the flow, or the client's or destination's, after y"},
		{"K", "end all flows of the client, after y"},
		{"p", "pause what is shown"},
		{"q, ctrl+c", "quit"},
		{"", "Rates are bits a second, volumes bytes. Up: from the client."},
	} {
		lines = append(lines, (&line{}).add(strong, pad(" "+key[0], 20)).add(plain, key[1]))
	}
	return lines
}

func pad(s string, width int) string {
	for len(s) < width {
		s += " "
	}
	return s
}
