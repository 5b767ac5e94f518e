package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"sluice/cmd/sluice/client"
)

// reachFlags are those of commands that ask a running sluice.
type reachFlags struct {
	Control   string `complete:"files" env:"SLUICE_CONTROL" default:"/run/sluice/control.sock" placeholder:"ADDR" help:"The control socket of the sluice that is meant: a path, or ADDR:PORT."`
	TokenFile string `env:"-" placeholder:"FILE" help:"File with the token of a sluice that is asked by ADDR:PORT; else SLUICE_CONTROL_TOKEN is."`
}

// mostToken bounds a token, in bytes.
const mostToken = 4096

// client is one of the sluice that the flags mean.
func (f *reachFlags) client() (*client.Client, error) {
	token := os.Getenv("SLUICE_CONTROL_TOKEN")
	if f.TokenFile != "" {
		file, err := os.Open(f.TokenFile)
		if err != nil {
			return nil, fmt.Errorf("--token-file: %w", err)
		}
		defer file.Close()
		text, err := io.ReadAll(io.LimitReader(file, mostToken+1))
		if err != nil {
			return nil, fmt.Errorf("--token-file: %w", err)
		}
		if token = strings.TrimRight(string(text), "\r\n"); token == "" || len(text) > mostToken {
			return nil, fmt.Errorf("--token-file %s: want a token of 1 to %d bytes", f.TokenFile, mostToken)
		}
	}
	if strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, fmt.Errorf("the token has what no header can carry: want printable ASCII without blanks")
	}
	return client.New(f.Control, token)
}
