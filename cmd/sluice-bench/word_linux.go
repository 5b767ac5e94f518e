package main

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"sluice/redir/nearest"
)

// word reads a text. One of an enum that is none of its words is answered with the
// nearest of them.
type word struct{}

// fewWords is how many words an error names; those of longer enums have a --list.
const fewWords = 10

// Decode implements kong.Mapper.
func (word) Decode(ctx *kong.DecodeContext, target reflect.Value) error {
	var text string
	if err := ctx.Scan.PopValueInto("text", &text); err != nil {
		return err
	}
	if known := ctx.Value.EnumSlice(); ctx.Value.Enum != "" && !slices.Contains(known, text) {
		known = slices.DeleteFunc(known, func(w string) bool { return w == "" }) // not given
		all := "--list shows all"
		if len(known) <= fewWords {
			all = "there are " + strings.Join(known, ", ")
		}
		return fmt.Errorf("%q is unknown; the nearest is %q (%s)", text, nearest.Word(text, known), all)
	}
	target.SetString(text)
	return nil
}
