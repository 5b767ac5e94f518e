package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// reader is who reads files on a reload: another than at the start, where sluice became
// a user or gave up what it did not need. It never changes.
type reader struct {
	account string   // as whom
	only    []string // files, and directories with what is below them; nil: no confinement
}

// newReader is who reads from now on, and is not confined yet: the account's name could
// not be found out later.
func newReader() reader {
	r := reader{account: "uid " + strconv.Itoa(os.Geteuid())}
	if found, err := user.LookupId(strconv.Itoa(os.Geteuid())); err == nil {
		r.account = "user " + found.Username
	}
	return r
}

// explain adds to an error about a file that may not be read who may not, and what
// helps. Others stay as they are.
func (r *reader) explain(err error) error {
	var denied *fs.PathError
	if !errors.As(err, &denied) || !errors.Is(denied, fs.ErrPermission) {
		return err
	}
	if len(r.only) > 0 && !r.reaches(denied.Path) {
		return fmt.Errorf("%w: sluice is confined, and reads only what it was told of at its start (%s): put the file there, or restart sluice", err, strings.Join(r.only, ", "))
	}
	return fmt.Errorf("%w: sluice reads it as %s: let that account read it and enter its directories", err, r.account)
}

// reaches tells whether the confinement lets a file be read that is there.
func (r *reader) reaches(path string) bool {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	return slices.ContainsFunc(r.only, func(from string) bool {
		if target, err := filepath.EvalSymlinks(from); err == nil {
			from = target
		}
		below, err := filepath.Rel(from, path)
		return err == nil && filepath.IsLocal(below)
	})
}
