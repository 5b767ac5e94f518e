package main

import (
	"time"

	"sluice/cmd/sluice/api"
	"sluice/cmd/sluice/view"
	"sluice/redir/size"
)

// filterFlags say which flows are meant (api.Query).
type filterFlags struct {
	Client      []string      `env:"-" placeholder:"ADDR" help:"Of these clients: addresses, networks, or ADDR:PORT (repeatable)."`
	Destination []string      `env:"-" placeholder:"ADDR" help:"To these destinations: the same, or names as www.example.org, or .example.org for those below it (repeatable)."`
	Port        []uint16      `env:"-" range:"1..65535" placeholder:"PORT" help:"To these ports (repeatable)."`
	Network     string        `each:"tcp: connections; udp: sessions" env:"-" placeholder:"NETWORK" help:"tcp or udp."`
	Inbound     []string      `complete:"inbounds" env:"-" sep:"none" placeholder:"TAG" help:"That came by these inbounds (repeatable)."`
	Outbound    []string      `complete:"outbounds" env:"-" sep:"none" placeholder:"TAG" help:"That leave by these outbounds (repeatable)."`
	State       []string      `complete:"states" env:"-" placeholder:"STATE" help:"In these states, as dialing, relaying, bulk, half-closed or unanswered (repeatable)."`
	Older       time.Duration `env:"-" range:"0..36500d" placeholder:"TIME" help:"That began longer ago, as 10m."`
	Younger     time.Duration `env:"-" range:"0..36500d" placeholder:"TIME" help:"That began later."`
	Idle        time.Duration `env:"-" range:"0..36500d" placeholder:"TIME" help:"Of which nothing has moved for as long."`
	Rate        size.Bytes    `env:"-" placeholder:"BYTES" help:"That move so many bytes a second or more, both ways together, as 1MiB."`
	Held        bool          `env:"-" help:"Of clients that have used up their rate."`
	Sort        string        `complete:"orders" env:"-" placeholder:"ORDER" help:"By rate, bytes, age, idle, client or destination; - before it (--sort -age) turns it round."`
}

// query is what they ask for.
func (f *filterFlags) query() api.Query {
	return api.Query{
		Client: f.Client, Destination: f.Destination, Port: f.Port, Network: f.Network, Inbound: f.Inbound, Outbound: f.Outbound,
		State: f.State, Older: f.Older, Younger: f.Younger, Idle: f.Idle, Rate: float64(f.Rate), Held: f.Held, Sort: f.Sort,
	}
}

// filter finds fault with them.
func (f *filterFlags) filter() (*view.Filter, error) { return view.NewFilter(f.query()) }
