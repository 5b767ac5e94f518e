package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"sluice/cmd/sluice/tell"
)

// statusCmd is `sluice status`.
type statusCmd struct {
	reachFlags
	JSON bool `name:"json" env:"-" help:"Say it in JSON."`
}

// Run says how sluice stands.
func (cmd *statusCmd) Run() error {
	source, err := cmd.client()
	if err != nil {
		return err
	}
	defer source.Close()
	status, err := source.Status(context.Background())
	if err != nil {
		return err
	}
	if cmd.JSON {
		return json.NewEncoder(os.Stdout).Encode(status)
	}
	out := sheetOf(os.Stdout)
	return out.lines(tell.Status(&status, time.Now(), out.width))
}

// healthCmd is `sluice health`.
type healthCmd struct {
	reachFlags
	Ready bool `env:"-" help:"Ask besides whether there is room for more, and traffic arrives."`
	JSON  bool `name:"json" env:"-" help:"Say it in JSON."`
}

// Run fails where sluice is not well, and says why.
func (cmd *healthCmd) Run() error {
	source, err := cmd.client()
	if err != nil {
		return err
	}
	defer source.Close()
	h, err := source.Health(context.Background(), cmd.Ready)
	if err != nil {
		return err
	}
	if cmd.JSON {
		if err := json.NewEncoder(os.Stdout).Encode(h); err != nil {
			return err
		}
	}
	switch {
	case !h.Well:
		return errors.New("not well: " + strings.Join(h.Causes, "; "))
	case !cmd.JSON:
		fmt.Println("well")
	}
	return nil
}
