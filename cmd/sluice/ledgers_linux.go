package main

import (
	"errors"
	"os"
	"time"

	"github.com/rs/zerolog"

	"sluice/cmd/sluice/ipfix"
	"sluice/cmd/sluice/ledger"
	"sluice/cmd/sluice/logging"
	"sluice/cmd/sluice/metrics"
	"sluice/cmd/sluice/service"
	"sluice/redir"
	"sluice/redir/resolve"
)

const (
	// accessLogStandard and accessLogJournal are the values of --access-log that are
	// no file's.
	accessLogStandard = "-"
	accessLogJournal  = "journald"
	// ipfixPort is IANA's.
	ipfixPort = 4739
	// ledgerPatience is how long the end waits for what is written last.
	ledgerPatience = 2 * time.Second
)

// collector is HOST[:PORT] on the command line.
type collector struct{ resolve.Target }

func (c *collector) UnmarshalText(text []byte) (err error) {
	if len(text) == 0 {
		c.Target = resolve.Target{}
		return nil
	}
	c.Target, err = resolve.ParseTarget(string(text), ipfixPort)
	return err
}

func (c collector) String() string {
	if c.Host == "" {
		return ""
	}
	return c.Target.String()
}

// ledgers is where the process writes down flows that have ended.
type ledgers struct {
	access   *ledger.Book  // nil: there is no access log
	lines    *ledger.Lines // of access; nil: it is no file's
	export   *ledger.Book  // nil: there is no collector
	exporter *ipfix.Exporter

	accessLost, exportLost ledger.Losses // of the process' goroutine
}

// open opens what the flags name, before the account is changed, which a file that
// is made belongs to.
func (l *ledgers) open(cmd *runCmd, server *redir.Server, account service.Account) error {
	if cmd.AccessLog != "" {
		writer, err := l.accessWriter(cmd, server, account)
		if err != nil {
			return err
		}
		l.access = ledger.Keep(server, writer, cmd.AccessLogSample)
	}
	if cmd.IPFIX.Host == "" {
		return nil
	}
	exporter, err := ipfix.New(cmd.IPFIX.Target, cmd.Mark, server.Wall, server.Lookup())
	if err != nil {
		return err
	}
	l.exporter, l.export = exporter, ledger.Keep(server, exporter, 1)
	return nil
}

func (l *ledgers) accessWriter(cmd *runCmd, server *redir.Server, account service.Account) (ledger.Writer, error) {
	switch cmd.AccessLog {
	case accessLogStandard:
		return ledger.Standard(server), nil
	case accessLogJournal:
		return ledger.OpenJournal(server)
	}
	uid, gid := -1, -1
	if cmd.User != "" {
		uid, gid = account.UID(), account.GID()
	}
	lines, err := ledger.OpenLines(server, cmd.AccessLog, uid, gid)
	if err != nil {
		return nil, err
	}
	l.lines = lines
	return lines, nil
}

// accessLogDirs are where the access log is made anew once it was moved away.
func (cmd *runCmd) accessLogDirs() []string {
	if info, err := os.Stat(cmd.AccessLog); cmd.AccessLog == "" || err != nil || !info.Mode().IsRegular() {
		return nil
	}
	return dirsOf(cmd.AccessLog)
}

// reopen opens the file anew, and looks the collector up again, for SIGHUP. It
// reports whether there is a file.
func (l *ledgers) reopen(log zerolog.Logger) bool {
	if l.exporter != nil {
		l.exporter.LookAgain()
	}
	if l.lines == nil {
		return false
	}
	if err := l.lines.Reopen(); err != nil {
		log.Warn().Err(err).Msg("the access log cannot be opened again: it goes on in the file of before; the directory must let sluice's user make files")
	}
	return true
}

// reload takes over what may change while sluice runs.
func (l *ledgers) reload(next *runCmd) {
	if l.access != nil {
		l.access.SetSample(next.AccessLogSample)
	}
}

// tell logs what was lost.
func (l *ledgers) tell(log zerolog.Logger) {
	now := time.Now()
	if l.access != nil {
		_, lost, err := l.access.Counts()
		l.accessLost.Tell(now, "access_log_lost", lost, err, log)
	}
	if l.export != nil {
		_, lost, err := l.export.Counts()
		l.exportLost.Tell(now, "ipfix_lost", lost, err, log)
	}
}

// records are what became of the records, and of the lines of the log, for any
// goroutine.
func (l *ledgers) records(output *logging.Output) []metrics.Records {
	all := []metrics.Records{{Log: "log", Written: output.Written(), Dropped: output.Lost()}}
	for _, b := range []struct {
		name string
		book *ledger.Book
	}{{"access_log", l.access}, {"ipfix", l.export}} {
		if b.book != nil {
			written, lost, _ := b.book.Counts()
			all = append(all, metrics.Records{Log: b.name, Written: written, Dropped: lost})
		}
	}
	return all
}

// close writes what is there yet: no flow ends any more.
func (l *ledgers) close() (err error) {
	for _, book := range []*ledger.Book{l.access, l.export} {
		if book != nil {
			err = errors.Join(err, book.Close(ledgerPatience))
		}
	}
	return err
}
