package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"sluice/cmd/sluice/api"
	"sluice/cmd/sluice/client"
	"sluice/cmd/sluice/view"
	"sluice/redir/record"
)

// completeCmd is `sluice complete`, which completions call for what only sluice knows:
// it prints a value, a tab and what it is, a line each. What cannot be found is not
// offered, and no error.
type completeCmd struct {
	Kind    string `arg:"" enum:"interfaces,congestion,inbounds,outbounds,flows,states,orders,commands"`
	Control string `env:"SLUICE_CONTROL" default:"/run/sluice/control.sock"`
}

const (
	// completePatience is how long somebody waits who has pressed a key.
	completePatience = 300 * time.Millisecond
	// mostOffered is how many flows anybody looks through.
	mostOffered = 50
)

// Run prints.
func (cmd *completeCmd) Run(ctx *kong.Context, finder finder) error {
	wait, cancel := context.WithTimeout(context.Background(), completePatience)
	defer cancel()
	switch cmd.Kind {
	case "interfaces":
		offerInterfaces()
	case "congestion":
		text, _ := os.ReadFile("/proc/sys/net/ipv4/tcp_available_congestion_control")
		for _, name := range strings.Fields(string(text)) {
			offer(name, "congestion control")
		}
	case "inbounds", "outbounds":
		cmd.offerTags(wait, finder)
	case "flows":
		cmd.offerFlows(wait)
	case "states":
		for _, s := range record.States() {
			offer(s.String(), "")
		}
	case "orders":
		for _, by := range view.Orders() {
			offer(by, "the greatest or first of it first")
			offer("-"+by, "the other way round")
		}
	case "commands":
		for _, command := range ctx.Model.Leaves(true) {
			offer(strings.TrimPrefix(command.FullPath(), ctx.Model.Name+" "), command.Help)
		}
	}
	return nil
}

// offer prints one value.
func offer(value, help string) {
	fmt.Printf("%s\t%s\n", value, strings.Map(func(r rune) rune {
		if r < ' ' {
			return ' '
		}
		return r
	}, help))
}

func offerInterfaces() {
	all, _ := net.Interfaces()
	for _, i := range all {
		state := "down"
		if i.Flags&net.FlagUp != 0 {
			state = "up"
		}
		addrs, _ := i.Addrs()
		for _, a := range addrs {
			state += " " + a.String()
		}
		offer(i.Name, state)
	}
}

// offerTags asks the sluice that runs, or looks into the files that it would read.
func (cmd *completeCmd) offerTags(ctx context.Context, finder finder) {
	var status api.Status
	source, err := client.New(cmd.Control, os.Getenv("SLUICE_CONTROL_TOKEN"))
	if err == nil {
		defer source.Close()
		status, err = source.Status(ctx)
	}
	if err != nil {
		run, err := parseFiles(nil, finder)
		if err != nil {
			return
		}
		for _, in := range run.inbounds() {
			status.Inbounds = append(status.Inbounds, api.Inbound{Tag: in.Tag, Type: in.Kind.String(), Listen: in.Listen.String()})
		}
		for _, out := range run.outbounds() {
			status.Outbounds = append(status.Outbounds, api.Outbound{Tag: out.Tag, Type: out.Kind.String()})
		}
	}
	if cmd.Kind == "inbounds" {
		for _, in := range status.Inbounds {
			offer(in.Tag, in.Type+" "+in.Listen)
		}
		return
	}
	tags := []string{}
	for _, out := range status.Outbounds {
		offer(out.Tag, out.Type)
		tags = append(tags, out.Tag)
	}
	if !slices.Contains(tags, "direct") {
		offer("direct", "without a proxy")
	}
}

func (cmd *completeCmd) offerFlows(ctx context.Context) {
	source, err := client.New(cmd.Control, os.Getenv("SLUICE_CONTROL_TOKEN"))
	if err != nil {
		return
	}
	defer source.Close()
	page, err := source.Page(ctx, &api.Query{Limit: mostOffered, Sort: "bytes"})
	if err != nil {
		return
	}
	for _, f := range page.Flows {
		to := f.Destination
		if f.Name != "" {
			to += " (" + f.Name + ")"
		}
		offer(f.ID, f.Network+" "+f.Client+" > "+to)
	}
}
