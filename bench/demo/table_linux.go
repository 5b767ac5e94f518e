package demo

import (
	"fmt"
	"io"
	"net/netip"
	"text/tabwriter"
)

// writeTable writes the rows for people.
func writeTable(w io.Writer, rows []Row) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "WAY\tCLIENT ASKED FOR\tSERVER SAW\tREPLY CAME FROM\tBYTES BACK\tVERDICT")
	for _, r := range rows {
		verdict := "ok"
		if r.Err != nil {
			verdict = "WRONG: " + r.Err.Error()
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%d\t%s\n", r.Way, r.Asked, orDash(r.Peer), orDash(r.Bore), r.Bytes, verdict)
	}
	return t.Flush()
}

func orDash(a netip.AddrPort) string {
	if !a.IsValid() {
		return "-"
	}
	return a.String()
}
