package compare

// Names of the checks, in the order of the table.
const (
	checkDest    = "destination"
	checkBytes   = "bytes"
	checkHalf    = "half-close"
	checkReset   = "reset"
	checkRefused = "refused"
	checkSizes   = "datagrams"
	checkSource  = "reply source"
	checkMapping = "mapping"
	checkShown   = "client shown"
)

// CheckNames lists the checks, each with what it asks.
func CheckNames() [][2]string {
	return [][2]string{
		{checkDest, "TCP reaches the address that was asked for, not only one that was configured"},
		{checkBytes, "a stream comes back byte for byte"},
		{checkHalf, "after the client's FIN the server's late answer still arrives"},
		{checkReset, "a reset of one side is a reset for the other"},
		{checkRefused, "a port where nobody listens is a reset for the client, not an orderly end"},
		{checkSizes, "datagrams of 0 to 65,507 bytes come back as they were"},
		{checkSource, "a UDP reply comes from the address that was asked"},
		{checkMapping, "one client socket is one socket to all servers (endpoint-independent mapping)"},
		{checkShown, "servers see the client's own address, of those that are to show it"},
	}
}

// Check finds a peer's answer by the check's name; one that was not asked is Absent.
func (p *Peer) Check(name string) Check {
	for _, c := range p.Checks {
		if c.Name == name {
			return c
		}
	}
	return Check{Name: name, Verdict: Absent}
}
