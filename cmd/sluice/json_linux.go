package main

import (
	"encoding/json"
	"io"
)

// writeJSON writes v to be read by people too: indented, and as it is, with < and &.
func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}
