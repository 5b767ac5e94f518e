package ledger

import (
	"bytes"
	"fmt"

	"github.com/rs/zerolog"

	"sluice/cmd/sluice/logging"
	"sluice/redir/record"
)

// Journal writes entries: what a line of a file has, as fields, and a text for
// people.
type Journal struct {
	wall   wall
	object bytes.Buffer
	json   zerolog.Logger // into object
	counts counts
}

// OpenJournal writes to journald, where that is there.
func OpenJournal(source Source) (*Journal, error) {
	if !logging.JournalIsThere() {
		return nil, fmt.Errorf("--access-log journald: nobody listens at /run/systemd/journal/socket; name a file, or -")
	}
	j := &Journal{wall: source.Wall}
	j.json = zerolog.New(&j.object)
	return j, nil
}

// Put sends an entry, and waits for room.
func (j *Journal) Put(r *record.Record) {
	j.object.Reset()
	j.wall.object(j.json.Log(), r).Send()
	if err := logging.SendEntry(text(r), j.object.Bytes()); err != nil {
		j.counts.lost(1, err)
		return
	}
	j.counts.wrote(1)
}

// text is a record for people.
func text(r *record.Record) string {
	dest := r.Dest.String()
	if r.Name != "" {
		dest += " (" + r.Name + ")"
	}
	return fmt.Sprintf("%s %s to %s ended: %s after %.3f s, %d bytes up, %d down",
		network(r), r.Client, dest, r.Cause, seconds(r.End-r.Start), r.Up.Bytes, r.Down.Bytes)
}

// Flush has nothing to do.
func (j *Journal) Flush() {}

// Counts are what was written, and what could not be, and why the last.
func (j *Journal) Counts() (written, lost uint64, why error) { return j.counts.all() }

// Close has nothing to do: the socket is the log's as well.
func (j *Journal) Close() error { return nil }
