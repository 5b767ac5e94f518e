package compare

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// WriteList names what can be compared: works, sweeps, and the peers with where they
// are or how they are got. Peers are looked for in PATH and then in the folders.
func WriteList(w io.Writer, peerDirs []string) error {
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
		fmt.Fprintf(t, "  %s\t%s\n", work.Key, work.Title)
	}
	fmt.Fprint(t, "\nSweeps (--sweep)\n")
	for _, s := range Sweeps() {
		fmt.Fprintf(t, "  %s\tby the number of %s\n", s, SweepTitle(s))
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
