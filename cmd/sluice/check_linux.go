package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/rs/zerolog"

	"sluice/redir"
	"sluice/redir/config"
	"sluice/redir/route"
)

// checkCmd is `sluice check`.
type checkCmd struct {
	Paths []string `arg:"" optional:"" name:"path" help:"Configuration files, or directories of them, which are read as one; - for standard input. Else those that sluice run reads."`
	JSON  bool     `name:"json" env:"-" help:"Say it in JSON."`
}

// checked is what there is to say of files.
type checked struct {
	OK       bool     `json:"ok"`
	Files    []string `json:"files"`
	Errors   []fault  `json:"errors"`
	Warnings []fault  `json:"warnings"`
}

// fault is one thing that is wrong; without a line, with all files together.
type fault struct {
	File    string `json:"file,omitempty"`
	Line    int    `json:"line,omitempty"`
	Column  int    `json:"column,omitempty"`
	Key     string `json:"key,omitempty"`
	Problem string `json:"problem"`
}

var errNotRight = errors.New("the configuration is not right")

// Run finds fault with files as far as that can be done without opening anything,
// without the flags and the environment of a later run.
func (cmd *checkCmd) Run(finder finder) error {
	if len(cmd.Paths) == 0 {
		cmd.Paths = pathsOfEnvironment()
	}
	run, err := parseFiles(cmd.Paths, finder)
	var warnings []fault
	if err == nil {
		warnings, err = run.inspect()
	}
	finder.stdin = true
	paths, missing := finder.find(cmd.Paths)
	if missing != nil {
		paths = cmd.Paths
	}
	files := namesOf(paths)
	if cmd.JSON {
		c := checked{OK: err == nil, Files: files, Errors: faultsOf(err), Warnings: append([]fault{}, warnings...)}
		if written := writeJSON(os.Stdout, c); written != nil || err == nil {
			return written
		}
		return errNotRight
	}
	if err != nil {
		return err
	}
	fmt.Println(strings.Join(files, ", ") + ": ok")
	for _, w := range warnings {
		fmt.Printf("%s: warning: %s\n", strings.Join(files, ", "), w.Problem)
	}
	return nil
}

// inspect finds fault with what the files of a run come to.
func (cmd *runCmd) inspect() (warnings []fault, err error) {
	if len(cmd.files) == 0 {
		return nil, errors.New("there is no configuration: name a file, or put one at " + etc + "/sluice.json or into " + etc + "/conf.d")
	}
	if err = cmd.validateRun(); err == nil {
		err = cmd.checkPasswords()
	}
	var table *route.Table
	if err == nil {
		options := cmd.options(zerolog.Nop())
		table, _, err = options.Table(nil, nil)
	}
	if errors.Is(err, redir.ErrNoInbound) {
		err = errors.New(`names no inbound, as {"inbounds": [{"type": "tproxy", "listen": "::", "listen_port": 12345}]}`)
	}
	if err != nil {
		return nil, cmd.named(cmd.placed(err))
	}
	for _, f := range table.Unreachable() {
		warnings = append(warnings, fault{Problem: fmt.Sprint(f)})
	}
	return warnings, nil
}

// placed is err with the place in the files that it is about, where it is one.
func (cmd *runCmd) placed(err error) error {
	var at *redir.InboundError
	if errors.As(err, &at) && cmd.inboundsOfFile() {
		return cmd.file.AtInbound(at.Index, err)
	}
	return err
}

// faultsOf takes an error apart.
func faultsOf(err error) []fault {
	all := []fault{}
	var errs config.Errors
	var one *config.Error
	switch {
	case err == nil:
	case errors.As(err, &errs):
	case errors.As(err, &one):
		errs = config.Errors{one}
	default:
		f := fault{Problem: err.Error()}
		var unread *os.PathError
		if errors.As(err, &unread) {
			f.File = unread.Path
		}
		all = append(all, f)
	}
	for _, e := range errs {
		all = append(all, fault{e.File, e.Line, e.Column, e.Path, e.Problem})
	}
	return all
}
