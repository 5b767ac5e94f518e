package main

import (
	"os"
	"slices"
	"strings"

	"sluice/redir/outbound"
)

// upstreamFlag names a proxy, and may hold its password.
const (
	upstreamFlag     = "--upstream"
	upstreamVariable = "SLUICE_UPSTREAM"
)

// exposed tells that a password stood on the command line, where others may have
// seen it.
type exposed bool

// hideArguments takes an upstream's password off the command line, which everybody
// may read (proc_pid_cmdline(5)), and hands it on in the environment, which only the
// user may: to a reload, the keeper and --detach, which read both again.
func hideArguments() (found exposed) {
	shown := os.Args
	args := make([]string, 0, len(shown)) // apart from the kernel's memory
	var last string
	var kept []string // without --upstream
	for i := 0; i < len(shown); i++ {
		arg := strings.Clone(shown[i])
		args = append(args, arg)
		value, ok := strings.CutPrefix(arg, upstreamFlag+"=")
		switch {
		case ok:
			found = hideSecret(shown[i], len(arg)-len(value)) || found
		case arg == upstreamFlag && i+1 < len(shown):
			i++
			value = strings.Clone(shown[i])
			args = append(args, value)
			found = hideSecret(shown[i], 0) || found
		default:
			kept = append(kept, arg)
			continue
		}
		last = value
	}
	os.Args = args
	if bool(found) && slices.Contains(args, "run") && os.Setenv(upstreamVariable, last) == nil {
		os.Args = kept
	}
	return found
}

// hideSecret overwrites the password in an argument, of which the URL begins at an
// offset, and reports whether there was one. What follows moves up, so that its
// length does not show.
func hideSecret(arg string, offset int) exposed {
	from, to := secretIn(arg[offset:])
	if from == to {
		return false
	}
	from, to = offset+from, offset+to
	stars := outbound.Hidden[:min(len(outbound.Hidden), to-from)]
	after := arg[:from] + stars + arg[to:]
	overwrite(arg, after+strings.Repeat(" ", len(arg)-len(after)))
	return true
}
