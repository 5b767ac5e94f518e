package logging

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/coreos/go-systemd/v22/journal"
	"github.com/rs/zerolog"

	"sluice/redir/quote"
)

// fieldPrefix keeps the names of sluice's fields apart from those that the journal
// gives a meaning (systemd.journal-fields(7)).
const fieldPrefix = "SLUICE_"

// sendLine sends a line of zerolog's to the journal.
func sendLine(line []byte) error {
	text, level, fields, err := entry(line)
	if err != nil {
		return err
	}
	return journal.Send(text, level, fields)
}

// entry is a line as the journal has it. What journalctl shows without being asked
// for more is all of the line, as on a terminal.
func entry(line []byte) (text string, level journal.Priority, all map[string]string, err error) {
	event, err := decode(line)
	if err != nil {
		return "", 0, nil, err
	}
	var shown bytes.Buffer
	people := consoleWriter(&shown, true)
	people.PartsOrder = []string{zerolog.MessageFieldName}
	if _, err := people.Write(line); err != nil {
		return "", 0, nil, err
	}
	name, _ := event[zerolog.LevelFieldName].(string)
	return strings.TrimSpace(shown.String()), priority(name), fields(event), nil
}

// JournalIsThere tells whether somebody listens where entries go, from where the
// socket for them is open.
func JournalIsThere() bool { return journal.Enabled() }

// SendEntry sends a JSON object with a text for people, as information. It waits
// for room.
func SendEntry(text string, object []byte) error {
	event, err := decode(object)
	if err != nil {
		return err
	}
	return journal.Send(text, journal.PriInfo, fields(event))
}

func decode(line []byte) (event map[string]any, err error) {
	d := json.NewDecoder(bytes.NewReader(line))
	d.UseNumber() // counts of bytes are longer than a float64 is exact
	err = d.Decode(&event)
	return event, err
}

// priority is syslog(3)'s for a level of zerolog's.
func priority(level string) journal.Priority {
	switch level {
	case "trace", "debug":
		return journal.PriDebug
	case "warn":
		return journal.PriWarning
	case "error":
		return journal.PriErr
	case "fatal", "panic":
		return journal.PriCrit
	}
	return journal.PriInfo
}

// fields are the line's, named as the journal wants it; it has a time of its own.
func fields(event map[string]any) map[string]string {
	all := map[string]string{"SYSLOG_IDENTIFIER": filepath.Base(os.Args[0])}
	for key, value := range event {
		switch key {
		case zerolog.LevelFieldName, zerolog.TimestampFieldName, zerolog.MessageFieldName:
		default:
			all[fieldPrefix+fieldName(key)] = fieldText(value)
		}
	}
	return all
}

// fieldName has capitals, digits and _ alone.
func fieldName(key string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			return r
		}
		return '_'
	}, key)
}

// fieldText is a value as text, quoted: of a list, its items by line.
func fieldText(value any) string {
	list, ok := value.([]any)
	if !ok {
		return quote.Line(fmt.Sprint(value))
	}
	items := make([]string, len(list))
	for i, item := range list {
		items[i] = fieldText(item)
	}
	return strings.Join(items, "\n")
}
