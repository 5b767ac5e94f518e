package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"sluice/cmd/sluice/api"
	"sluice/cmd/sluice/client"
	"sluice/redir/record"
)

// killCmd is `sluice kill`.
type killCmd struct {
	reachFlags
	filterFlags
	ID     []string `complete:"flows" arg:"" optional:"" help:"The flows, as sluice flows names them."`
	All    bool     `env:"-" help:"All flows."`
	Limit  int      `env:"-" placeholder:"N" help:"So many at most, the first by --sort."`
	DryRun bool     `env:"-" help:"Say how many flows are meant, and end none."`
	JSON   bool     `name:"json" env:"-" help:"Say it in JSON."`
}

// Validate finds fault with what is meant.
func (cmd *killCmd) Validate() error {
	f, err := cmd.filter()
	isFiltered := err == nil && !f.All()
	var idErr error
	for _, id := range cmd.ID {
		if _, parseErr := record.ParseID(id); parseErr != nil {
			idErr = parseErr
		}
	}
	switch {
	case err != nil:
		return err
	case idErr != nil:
		return idErr
	case cmd.Limit < 0:
		return fmt.Errorf("--limit %d: want a number of flows", cmd.Limit)
	case len(cmd.ID) > 0 && (cmd.All || isFiltered || cmd.Limit > 0):
		return errors.New("want IDs of flows, or filters, or --all: not several of these")
	case cmd.All && isFiltered:
		return errors.New("--all: want it without filters")
	case len(cmd.ID) == 0 && !cmd.All && !isFiltered:
		return errors.New("which flows? Want their IDs, or filters as --client 10.0.0.7, or --all")
	}
	return nil
}

// Run ends them, and says how many there were.
func (cmd *killCmd) Run() error {
	source, err := cmd.client()
	if err != nil {
		return err
	}
	defer source.Close()
	ctx := context.Background()
	q := cmd.query()
	q.Limit = cmd.Limit
	var ended api.Ended
	switch {
	case len(cmd.ID) > 0:
		ended.Ended, err = cmd.each(ctx, source)
	case cmd.DryRun:
		ended.Ended, err = meant(ctx, source, q)
	default:
		ended, err = source.EndAll(ctx, &q, cmd.All)
	}
	if err == nil || ended.Ended > 0 {
		cmd.say(ended)
	}
	return err
}

func (cmd *killCmd) say(ended api.Ended) {
	if cmd.JSON {
		_ = json.NewEncoder(os.Stdout).Encode(ended)
		return
	}
	verb := "ended"
	if cmd.DryRun {
		verb = "would end"
	}
	if ended.Ended == 1 {
		fmt.Println(verb, "1 flow")
	} else {
		fmt.Println(verb, ended.Ended, "flows")
	}
}

// each ends flows by ID, those behind one that has ended meanwhile too.
func (cmd *killCmd) each(ctx context.Context, source *client.Client) (ended int, err error) {
	for _, id := range cmd.ID {
		var failed error
		if cmd.DryRun {
			_, failed = source.Flow(ctx, id)
		} else {
			_, failed = source.End(ctx, id)
		}
		if failed == nil {
			ended++
		} else if !client.IsGone(failed) {
			return ended, errors.Join(err, failed)
		}
		err = errors.Join(err, failed)
	}
	return ended, err
}

// meant is how many flows of a query there are.
func meant(ctx context.Context, source *client.Client, q api.Query) (int, error) {
	limit := q.Limit
	q.Limit = 1
	page, err := source.Page(ctx, &q)
	if limit > 0 {
		page.Total = min(page.Total, limit)
	}
	return page.Total, err
}
