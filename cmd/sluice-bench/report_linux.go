package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"sluice/bench/compare"
	"sluice/bench/report"
)

type reportCmd struct {
	File string `arg:"" help:"compare.json of an earlier comparison, or its folder." optional:"" default:"bench/out/compare.json"`
	Out  string `help:"Folder of the report (default: that of the JSON)." placeholder:"DIR"`
}

// resultFile is the name of a comparison's JSON in its folder.
const resultFile = "compare.json"

func (c *reportCmd) Run() error {
	path := c.File
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, resultFile)
	}
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%w; 'sluice-bench compare' makes it", err)
	}
	if err != nil {
		return err
	}
	res, err := compare.Read(f)
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	res.Settle()
	out := c.Out
	if out == "" {
		out = filepath.Dir(path)
	}
	html, err := report.Write(res, out)
	if err == nil {
		fmt.Println("report:", html)
	}
	return err
}
