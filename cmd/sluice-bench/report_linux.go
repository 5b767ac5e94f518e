package main

import (
	"errors"
	"fmt"
	"os"

	"sluice/bench/compare"
	"sluice/bench/report"
)

type reportCmd struct {
	File string `arg:"" help:"compare.json of an earlier comparison." type:"existingfile"`
	Out  string `help:"Folder of the report." default:"bench/out" placeholder:"DIR"`
}

func (c *reportCmd) Run() error {
	f, err := os.Open(c.File)
	if err != nil {
		return err
	}
	res, err := compare.Read(f)
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	res.Settle()
	html, err := report.Write(res, c.Out)
	if err == nil {
		fmt.Println("report:", html)
	}
	return err
}
