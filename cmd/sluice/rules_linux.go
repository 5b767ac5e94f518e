package main

import (
	"errors"
	"fmt"
	"slices"

	"github.com/alecthomas/kong"

	"sluice/redir/quote"
	"sluice/redir/rules"
	"sluice/redir/source"
)

// RulesCmd is `sluice rules`.
type RulesCmd struct {
	Print   rulesPrintCmd   `cmd:"" help:"Print what install would do, as text to paste. Changes nothing."`
	Install rulesInstallCmd `cmd:"" help:"Install the rules, to stay until remove. Doing it again replaces them."`
	Remove  rulesRemoveCmd  `cmd:"" help:"Take away what install, pasted text or a killed sluice left, and put sysctls back."`
	Status  rulesStatusCmd  `cmd:"" help:"Say what is there, what is missing, and how much was diverted. Exit status 1 unless all is there."`
}

// rulesTarget is what `sluice run` knows by itself: the inbounds and the mark.
type rulesTarget struct {
	Port     uint16         `brief:"Where sluice listens." group:"target" range:"1..65535" placeholder:"PORT" help:"Where sluice listens for what arrives by no --way."`
	Way      []wayFlag      `group:"target" sep:"none" placeholder:"WAY" help:"Interfaces or patterns, and where sluice listens for what arrives there, as lan1=12346, lan1,ppp*=12346 or lan1=12346,tcp (repeatable)."`
	Listener []listenerFlag `group:"target" sep:"none" placeholder:"LISTENER" help:"An address that the gateway need not have and is routed to it, and a port, where sluice listens, as 192.0.2.1:443, [2001:db8::1]:443 or 192.0.2.1:53,udp (repeatable)."`
	Proto    []string       `group:"target" enum:"tcp,udp" placeholder:"tcp,udp" help:"What to divert; tproxy: both, redirect: tcp."`
	Mark     uint32         `group:"target" default:"2" help:"SO_MARK of sluice's own sockets, which the rules skip."`

	Config []string `brief:"What sluice run --config PATH would have." group:"target" placeholder:"PATH" help:"In place of all other flags, what sluice run --config PATH --install-rules would have."`

	Source        []source.Source `group:"target" sep:"none" placeholder:"SOURCE" help:"Whose address destinations see, as sluice run has it: gateway, client, client-address, or an address, or one of each family with a comma (repeatable)."`
	SourceReplies string          `each:"proxy: sluice passes them on; kernel: the kernel forwards them" group:"target" enum:"proxy,kernel" default:"proxy" help:"UDP replies to clients' addresses go through sluice (proxy), or the kernel forwards them (kernel)."`
}

func (t rulesTarget) spec(flags RuleFlags) (rules.Spec, error) {
	protos := t.Proto
	if len(protos) == 0 {
		protos = []string{"tcp", "udp"}
		if flags.Via == string(rules.Redirect) {
			protos = protos[:1]
		}
	}
	if len(t.Config) > 0 && !slices.Equal(t.Config, []string{configOff}) {
		return specOfFiles(t.Config)
	}
	var tcp, udp uint16
	for _, proto := range protos {
		if t.Port == 0 && len(t.Proto) > 0 {
			return rules.Spec{}, errors.New("--proto says what --port is for: write it as --port 12345 --proto tcp, or --way lan1=12345,tcp")
		} else if proto == "udp" {
			udp = t.Port
		} else {
			tcp = t.Port
		}
	}
	if flags.Output && t.Mark == 0 {
		return rules.Spec{}, errNoMark
	}
	spec := flags.Spec(tcp, udp, t.Mark)
	for _, w := range t.Way {
		if flags.Via == string(rules.Redirect) && w.TCP { // as without --proto
			w.UDP = false
		}
		spec.Ways = append(spec.Ways, w.Way)
	}
	for _, l := range t.Listener {
		spec.Listeners = append(spec.Listeners, l.Listener)
	}
	spec.Sources = sourcesOf(t.Source)
	spec.Sources.KernelReplies = t.SourceReplies == "kernel"
	return spec, nil
}

// specOfFiles is what configuration files ask for.
func specOfFiles(paths []string) (rules.Spec, error) {
	run, err := parseFiles(paths, finder{}, "--install-rules")
	if err != nil {
		return rules.Spec{}, err
	}
	if err := run.validate(); err != nil {
		return rules.Spec{}, run.named(err)
	}
	return run.spec()
}

// wayFlag is interfaces and a port, as lan1=12346.
type wayFlag struct{ rules.Way }

func (w *wayFlag) UnmarshalText(text []byte) (err error) {
	w.Way, err = rules.ParseWay(string(text))
	return err
}

// listenerFlag is an address and port, as 192.0.2.1:443.
type listenerFlag struct{ rules.Listener }

func (l *listenerFlag) UnmarshalText(text []byte) (err error) {
	l.Listener, err = rules.ParseListener(string(text))
	return err
}

type rulesPrintCmd struct {
	Target rulesTarget `embed:""`
	Flags  RuleFlags   `embed:""`
	Format string      `group:"text" brief:"nft, iptables or commands." each:"nft: a file for nft -f; iptables: a script of iptables and ip6tables; commands: a script of nft and ip" enum:"nft,iptables,commands" default:"commands" help:"nft: a file for nft -f; iptables, commands: shell scripts."`
	Undo   bool        `group:"text" brief:"Print what takes the same away again." help:"Print what takes the same away again; it also stands in comments at the end of what is printed without."`
	JSON   bool        `name:"json" group:"text" help:"Print JSON: the format, what applies it and what undoes it."`
}

// printed is a plan as JSON.
type printed struct {
	Format string `json:"format"`
	Apply  string `json:"apply"` // text to paste
	Undo   string `json:"undo"`  // what takes the same away
}

// Run prints the plan.
func (c *rulesPrintCmd) Run(ctx *kong.Context) error {
	spec, err := c.Target.spec(c.Flags)
	if err != nil {
		return err
	}
	plan, err := rules.NewPlan(spec)
	if err != nil {
		return err
	}
	apply, err := plan.Text(rules.Format(c.Format))
	if err != nil {
		return err
	}
	undo, err := plan.Undo(rules.Format(c.Format))
	if err != nil {
		return err
	}
	switch {
	case c.JSON:
		return writeJSON(ctx.Stdout, printed{c.Format, apply, undo})
	case c.Undo:
		apply = undo
	}
	_, err = fmt.Fprint(ctx.Stdout, apply)
	return err
}

type rulesInstallCmd struct {
	Target rulesTarget `embed:""`
	Flags  RuleFlags   `embed:""`
}

// Run installs, and names the sysctls that should change and whatever else
// keeps traffic from arriving.
func (c *rulesInstallCmd) Run(ctx *kong.Context) error {
	spec, err := c.Target.spec(c.Flags)
	if err != nil {
		return err
	}
	unmet, err := rules.Apply(spec)
	if err != nil {
		return err
	}
	for _, s := range unmet {
		fmt.Fprintf(ctx.Stderr, "needed, or give --sysctl: %s  # %s; to stay: %s\n", s.Command(), s.Why, s.Persistent())
	}
	status, err := rules.ReadStatus()
	if err != nil {
		return err
	}
	for _, line := range append(notices(spec, status), unheard(spec)...) {
		fmt.Fprintln(ctx.Stderr, quote.Line(line))
	}
	return nil
}

type rulesRemoveCmd struct{}

// Run removes, and says what it left.
func (*rulesRemoveCmd) Run(ctx *kong.Context) error {
	left, err := rules.Remove()
	for _, line := range left {
		fmt.Fprintln(ctx.Stderr, "left:", quote.Line(line))
	}
	return err
}

type rulesStatusCmd struct {
	JSON bool `name:"json" help:"Print JSON."`
}

var errIncomplete = errors.New("rules: not all is there")

// Run prints the status.
func (c *rulesStatusCmd) Run(ctx *kong.Context) error {
	status, err := rules.ReadStatus()
	if err != nil {
		return err
	}
	if c.JSON {
		err = writeJSON(ctx.Stdout, status)
	} else {
		_, err = fmt.Fprint(ctx.Stdout, status)
	}
	if err == nil && !status.Complete() {
		err = errIncomplete
	}
	return err
}
