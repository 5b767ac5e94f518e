package compare

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// WriteList names what can be compared: works, sweeps, and the peers with where they
// are or how they are got. Peers are looked for in PATH and then in the folders; works
// are measured with the congestion controls.
func WriteList(w io.Writer, peerDirs, congestion []string) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	heading := map[Role]string{
		"": "Works of transparent proxies", Reverse: "Works of reverse proxies that show the client",
		Source: "Works with the client's address as source", Socks: "Works through a SOCKS5 server", Kernel: "Works that are left to the kernel",
	}
	last := Role("none")
	for _, work := range Works() {
		if work.Role != last {
			if last != "none" {
				fmt.Fprintln(t)
			}
			fmt.Fprintf(t, "%s (--work)\n", heading[work.Role])
			last = work.Role
		}
		title := work.Title
		if work.load == iperf {
			title += " (" + strings.Join(congestion, ", ") + ")"
		}
		fmt.Fprintf(t, "  %s\t%s\n", work.Key, title)
	}
	fmt.Fprint(t, "\nSweeps (--sweep)\n")
	for _, s := range Sweeps() {
		fmt.Fprintf(t, "  %s\tby the number of %s\n", s, SweepTitle(s))
	}
	fmt.Fprint(t, "\nTCP's congestion controls (--congestion)\n")
	for i, name := range congestion {
		of := "of works over TCP"
		if i > 0 {
			of = "of bulk streams once more, as KEY-" + name
		}
		fmt.Fprintf(t, "  %s\t%s\n", name, of)
	}
	fmt.Fprint(t, "\nPeers (--peers)\n")
	for _, kind := range Kinds() {
		where := "plain forwarding by the kernel"
		if kind != Direct {
			path, err := find(kind, peerDirs)
			if where = path; err != nil {
				where = err.Error()
			}
		}
		fmt.Fprintf(t, "  %s\t%s\n", kind, where)
	}
	return t.Flush()
}
