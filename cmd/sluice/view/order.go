package view

import (
	"cmp"
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"

	"sluice/redir/record"
)

// order is what flows are sorted by: numbers with the greatest first, which are the
// busiest, the largest, the oldest and those that are idle for the longest;
// addresses and IDs with the least first; or the other way round.
type order struct {
	by     sorting
	isBack bool
}

type sorting uint8

const (
	byID sorting = iota
	byRate
	byBytes
	byAge
	byIdle
	byClient
	byDest
	numSortings
)

var sortingNames = [numSortings]string{byID: "id", byRate: "rate", byBytes: "bytes", byAge: "age", byIdle: "idle", byClient: "client", byDest: "destination"}

// Orders are the names of all.
func Orders() []string { return sortingNames[:] }

func parseOrder(text string) (order, error) {
	name, isBack := strings.CutPrefix(text, "-")
	if text == "" {
		return order{}, nil
	}
	for by, known := range sortingNames {
		if name == known {
			return order{sorting(by), isBack}, nil
		}
	}
	return order{}, fmt.Errorf("sort: %q is no order; want one of %s, with - before it for the other way round", text, strings.Join(sortingNames[:], ", "))
}

// cursor is a flow's place in an order.
type cursor struct {
	key     float64 // 0, where the order is by address or ID
	address netip.AddrPort
	id      record.ID
}

// of is the place of a flow; rate is below 0 where it is not known.
func (o order) of(r *record.Record, rate float64) cursor {
	c := cursor{id: r.ID}
	switch o.by {
	case byRate:
		c.key = rate
	case byBytes:
		c.key = float64(r.Up.Bytes + r.Down.Bytes)
	case byAge:
		c.key = -float64(r.Start)
	case byIdle:
		c.key = -float64(r.Active)
	case byClient:
		c.address = r.Client
	case byDest:
		c.address = r.Dest
	}
	return c
}

// isBefore reports whether a comes first.
func (o order) isBefore(a, b *cursor) bool {
	c := cmp.Compare(b.key, a.key)
	if o.by == byClient || o.by == byDest {
		c = a.address.Compare(b.address)
	}
	if c == 0 {
		c = cmp.Compare(a.id, b.id)
	}
	return c != 0 && (c < 0) != o.isBack
}

// text is what parseCursor reads: KEY~ID, or the ID alone.
func (o order) text(c *cursor) string {
	switch o.by {
	case byID:
		return c.id.String()
	case byClient, byDest:
		return c.address.String() + "~" + c.id.String()
	}
	return strconv.FormatFloat(c.key, 'g', -1, 64) + "~" + c.id.String()
}

func (o order) parseCursor(text string) (c cursor, err error) {
	key, id, hasKey := strings.Cut(text, "~")
	switch {
	case o.by == byID && !hasKey:
		id = key
	case o.by == byID || !hasKey:
		err = strconv.ErrSyntax
	case o.by == byClient || o.by == byDest:
		c.address, err = netip.ParseAddrPort(key)
	default:
		if c.key, err = strconv.ParseFloat(key, 64); math.IsNaN(c.key) {
			err = strconv.ErrSyntax
		}
	}
	if err == nil {
		c.id, err = record.ParseID(id)
	}
	if err != nil {
		return cursor{}, fmt.Errorf("after: %q is from no page in this order; want the next of the page before, with the same sort", text)
	}
	return c, nil
}
