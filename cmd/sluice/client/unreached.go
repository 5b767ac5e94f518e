package client

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// unreached says why no answer came, and what to do.
func (c *Client) unreached(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err // without the URL, which is none of the operator's
	}
	var network net.Error
	switch {
	case errors.Is(err, fs.ErrPermission) && c.path != "":
		return fmt.Errorf("%s: permission denied: %s", c.path, whoMay(c.path))
	case errors.Is(err, fs.ErrNotExist) && c.path != "":
		return &unreachedError{c.address, "there is no such socket; start sluice with --control " + c.path + ", or name its socket by --control", err}
	case errors.Is(err, syscall.ECONNREFUSED):
		return &unreachedError{c.address, "nobody listens: sluice has ended, or its --control is another", err}
	case errors.As(err, &network) && network.Timeout():
		return &unreachedError{c.address, "it is silent", err}
	}
	return &unreachedError{c.address, err.Error(), err}
}

// unreachedError says that no sluice answers.
type unreachedError struct {
	address, why string
	err          error
}

func (e *unreachedError) Error() string {
	return fmt.Sprintf("no sluice answers at %s: %s", e.address, e.why)
}

func (e *unreachedError) Unwrap() error { return e.err }

// whoMay names the account and the group that may use a socket, or else reach its
// directory.
func whoMay(path string) string {
	info, err := os.Stat(path)
	for errors.Is(err, fs.ErrPermission) && path != "/" && path != "." {
		path = filepath.Dir(path)
		info, err = os.Stat(path)
	}
	var owner *syscall.Stat_t
	if err == nil {
		owner, _ = info.Sys().(*syscall.Stat_t)
	}
	if owner == nil {
		return "become root"
	}
	account, group := strconv.FormatUint(uint64(owner.Uid), 10), strconv.FormatUint(uint64(owner.Gid), 10)
	if u, err := user.LookupId(account); err == nil {
		account = u.Username
	}
	if g, err := user.LookupGroupId(group); err == nil {
		group = g.Name
	}
	who := "user " + account + " and root"
	if owner.Uid == 0 {
		who = "root"
	}
	if info.Mode().Perm()&0o060 == 0 || owner.Gid == 0 {
		return "it is for " + who
	}
	return fmt.Sprintf("it is for %s and members of group %s (usermod -aG %s YOU, and log in anew)", who, group, group)
}
