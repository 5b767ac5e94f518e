package lab

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Show writes what each namespace of the lab has: links, addresses, MTU, GRO and
// running processes.
func (l *Lab) Show(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "NAMESPACE\tLINK\tMTU\tGRO\tADDRESSES\tPROCESSES")
	for _, ns := range []*Namespace{l.Client, l.Gateway, l.Server} {
		pids, err := ns.Processes()
		if err != nil {
			return err
		}
		if err := ns.showLinks(t, fmt.Sprint(len(pids))); err != nil {
			return err
		}
	}
	return t.Flush()
}

func (ns *Namespace) showLinks(w io.Writer, processes string) error {
	h, err := ns.links()
	if err != nil {
		return err
	}
	defer h.Close()
	links, err := h.LinkList()
	if err != nil {
		return fmt.Errorf("%s: links: %w", ns.Name, err)
	}
	name := ns.Name
	for _, link := range links {
		attrs := link.Attrs()
		if attrs.Name == "lo" {
			continue
		}
		list, err := h.AddrList(link, netlink.FAMILY_ALL)
		if err != nil {
			return fmt.Errorf("%s: addresses of %s: %w", ns.Name, attrs.Name, err)
		}
		var addrs []string
		for _, a := range list {
			if a.Scope != unix.RT_SCOPE_LINK {
				addrs = append(addrs, a.IPNet.String())
			}
		}
		gro, err := ns.GRO(attrs.Name)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%v\t%s\t%s\n", name, attrs.Name, attrs.MTU, gro, strings.Join(addrs, " "), processes)
		name, processes = "", ""
	}
	return nil
}
