package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"sluice/bench/lab"
)

type labCmd struct {
	Up   labUpCmd   `cmd:"" help:"Make a lab. As an ordinary user: make it in a user namespace, start a shell there, and remove it when the shell ends."`
	Down labDownCmd `cmd:"" help:"Remove a lab and end what runs in it."`
	Exec labExecCmd `cmd:"" help:"Run a program in a namespace of the lab."`
	Show labShowCmd `cmd:"" help:"Show the labs that exist."`
}

type labName struct {
	Name string `help:"Name of the lab." default:"lab"`
}

type labUpCmd struct {
	labName
	MTU        int    `help:"MTU of both links, in bytes." default:"1500"`
	GRO        bool   `help:"Let the receiving end of each link merge packets."`
	Bridge     bool   `help:"Make the gateway's lan a bridge."`
	Congestion string `help:"TCP's congestion control in the lab, whoever opens the sockets, as cubic or bbr (default: the machine's)." placeholder:"NAME"`
	Rules      string `help:"What installs the divert rules: ${enum}." enum:"iptables,nft" default:"iptables"`
	Redirect   string `help:"REDIRECT TCP to this port of the gateway, from these destination ports (none: all)." placeholder:"TO[:PORT,...]"`
	TProxy     string `name:"tproxy" help:"TPROXY TCP and UDP likewise. A port belongs to one of the two." placeholder:"TO[:PORT,...]"`
}

// Validate refuses ports that are none, before anything is made.
func (c *labUpCmd) Validate() error {
	var errs []error
	for _, text := range []string{c.Redirect, c.TProxy} {
		if text != "" {
			_, _, err := parseDivert(text)
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func (c *labUpCmd) Run() error {
	if err := lab.Enter(); err != nil {
		return err
	}
	l, err := lab.New(lab.Options{Name: c.Name, MTU: c.MTU, GRO: c.GRO, Bridge: c.Bridge, Congestion: c.Congestion})
	if err != nil {
		return err
	}
	if err := c.divert(l); err != nil {
		return errors.Join(err, l.Close())
	}
	if err := l.Show(os.Stdout); err != nil || !lab.Entered() {
		return err
	}
	return errors.Join(runShell(), l.Close()) // nobody else can reach this lab
}

func (c *labUpCmd) divert(l *lab.Lab) error {
	redirect, tproxy := l.Redirect, l.TProxy
	if c.Rules == "nft" {
		redirect, tproxy = l.RedirectNFT, l.TProxyNFT
	}
	for _, d := range []struct {
		text string
		rule func(uint16, ...uint16) error
	}{{c.Redirect, redirect}, {c.TProxy, tproxy}} {
		if d.text == "" {
			continue
		}
		to, dest, err := parseDivert(d.text)
		if err != nil {
			return err
		}
		if err := d.rule(to, dest...); err != nil {
			return err
		}
	}
	return nil
}

// parseDivert reads "12345" or "12345:80,443".
func parseDivert(text string) (to uint16, dest []uint16, err error) {
	first, rest, _ := strings.Cut(text, ":")
	ports := []string{first}
	if rest != "" {
		ports = append(ports, strings.Split(rest, ",")...)
	}
	for i, p := range ports {
		n, err := strconv.ParseUint(p, 10, 16)
		if err != nil || n == 0 {
			return 0, nil, fmt.Errorf("divert %q: %q is not a port", text, p)
		}
		if i == 0 {
			to = uint16(n)
		} else {
			dest = append(dest, uint16(n))
		}
	}
	return to, dest, nil
}

// runShell runs the user's shell until it ends; what it exits with is its own affair.
func runShell() error {
	path := os.Getenv("SHELL")
	if path == "" {
		path = "/bin/sh"
	}
	fmt.Println("The lab lives until this shell ends.")
	sh := exec.Command(path)
	sh.Stdin, sh.Stdout, sh.Stderr = os.Stdin, os.Stdout, os.Stderr
	var exit *exec.ExitError
	if err := sh.Run(); err != nil && !errors.As(err, &exit) {
		return err
	}
	return nil
}

type labDownCmd struct{ labName }

func (c *labDownCmd) Run() error {
	l, err := lab.Open(c.Name)
	if err != nil {
		return err
	}
	return l.Close()
}

type labExecCmd struct {
	labName
	Where   string   `arg:"" help:"Where to run it: client, gateway or server." enum:"client,gateway,server"`
	Command []string `arg:"" passthrough:"" help:"Program and arguments."`
}

func (c *labExecCmd) Run() error {
	l, err := lab.Open(c.Name)
	if err != nil {
		return err
	}
	ns := map[string]*lab.Namespace{"client": l.Client, "gateway": l.Gateway, "server": l.Server}[c.Where]
	cmd := ns.Command(context.Background(), c.Command[0], c.Command[1:]...)
	if cmd.Err != nil {
		return cmd.Err
	}
	return os.NewSyscallError("execve", unix.Exec(cmd.Path, cmd.Args, os.Environ()))
}

type labShowCmd struct{}

func (c *labShowCmd) Run() error {
	names, err := lab.Names()
	if err != nil {
		return err
	}
	if len(names) == 0 {
		fmt.Println("no lab exists; make one with: sluice-bench lab up")
	}
	for _, name := range names {
		l, err := lab.Open(name)
		if err != nil {
			return err
		}
		if err := l.Show(os.Stdout); err != nil {
			return err
		}
	}
	return nil
}
