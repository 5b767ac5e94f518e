package main

import (
	"cmp"
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
	"sluice/cmd/sluice/document"
	"sluice/cmd/sluice/view"
	"sluice/redir/record"
)

// completeCmd is `sluice complete`, which completions call for what only sluice knows:
// it prints a value, a tab and what it is, a line each. What cannot be found is not
// offered, and no error.
type completeCmd struct {
	Kind    string   `arg:"" enum:"interfaces,congestion,inbounds,outbounds,flows,states,orders,commands"`
	Words   []string `arg:"" optional:""` // those before the cursor
	Control string   `env:"SLUICE_CONTROL" default:"/run/sluice/control.sock"`
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
		cmd.offerHelp(ctx.Model.Node)
	}
	return nil
}

// offerHelp prints what help may be asked for behind the words.
func (cmd *completeCmd) offerHelp(node *kong.Node) {
	for _, word := range cmd.Words[min(1, len(cmd.Words)):] {
		if strings.HasPrefix(word, "-") {
			continue
		}
		if node = childOf(node, word); node == nil {
			return
		}
	}
	for _, child := range node.Children {
		if !child.Hidden {
			offer(child.Name, cmp.Or(child.Tag.Get("brief"), child.Help))
		}
	}
	for _, topic := range document.Topics(node) {
		offer(topic.Text, topic.Help)
	}
}

// written is the value of a flag among the words before the cursor; --flag=value is three
// of bash's.
func (cmd *completeCmd) written(flag string) string {
	value := ""
	for i, word := range cmd.Words {
		if name, v, ok := strings.Cut(word, "="); ok && name == flag {
			value = v
		} else if rest := cmd.Words[i+1:]; word == flag && len(rest) > 0 {
			if rest[0] == "=" {
				rest = rest[1:]
			}
			if len(rest) > 0 {
				value = rest[0]
			}
		}
	}
	return value
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

// client is one of the sluice that the line means.
func (cmd *completeCmd) client() (*client.Client, error) {
	reach := reachFlags{Control: cmp.Or(cmd.written("--control"), cmd.Control), TokenFile: cmd.written("--token-file")}
	return reach.client()
}

func (cmd *completeCmd) status(ctx context.Context) (api.Status, error) {
	source, err := cmd.client()
	if err != nil {
		return api.Status{}, err
	}
	defer source.Close()
	return source.Status(ctx)
}

// offerTags asks the sluice that runs, or looks into the files that it would read, or
// that the line names.
func (cmd *completeCmd) offerTags(ctx context.Context, finder finder) {
	line := cmd.written("--config")
	paths := pathsOfEnvironment()
	if line != "" {
		paths = []string{line}
	}
	if slices.Contains(paths, "-") {
		return // it is the terminal's
	}
	status, err := cmd.status(ctx)
	if line != "" || err != nil {
		status = api.Status{}
		run, err := parseFiles(paths, finder)
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
	source, err := cmd.client()
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
