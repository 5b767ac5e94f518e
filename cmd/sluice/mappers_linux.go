package main

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"sluice/cmd/sluice/view"
	"sluice/redir/config"
	"sluice/redir/size"
	"sluice/redir/value"
)

// mappers are how flags and their environment variables are read, by the package
// that also reads the file's values. A tag range:"LEAST..MOST" bounds a number, a
// time or a size.
func mappers() kong.Option {
	return kong.OptionFunc(func(k *kong.Kong) error {
		byType := map[reflect.Type]kong.Mapper{}
		add := func(sample any, kind string, parse func(ctx *kong.DecodeContext, text string, target reflect.Value) error) {
			byType[reflect.TypeOf(sample)] = scalar(kind, parse)
		}
		add(time.Duration(0), "time", decodeDuration)
		add(size.Bytes(0), "size", decodeSize)
		add("", "text", decodeString)
		for _, signed := range []any{int(0), int64(0)} {
			add(signed, "number", decodeInteger)
		}
		for _, unsigned := range []any{uint16(0), uint32(0), uint64(0)} {
			add(unsigned, "number", decodeUnsigned)
		}
		byType[reflect.TypeFor[bool]()] = switchMapper{}
		elements := kong.NewRegistry().RegisterDefaults() // decodes what a list holds
		for of, mapper := range byType {
			elements.RegisterType(of, mapper)
			if err := kong.TypeMapper(of, mapper).Apply(k); err != nil {
				return err
			}
		}
		return kong.KindMapper(reflect.Slice, listMapper{elements}).Apply(k)
	})
}

// scalar is a mapper of values of a kind that one text gives.
func scalar(kind string, parse func(ctx *kong.DecodeContext, text string, target reflect.Value) error) kong.Mapper {
	return kong.MapperFunc(func(ctx *kong.DecodeContext, target reflect.Value) error {
		if ctx.Scan.Peek().IsEOL() {
			return wanting(kind)
		}
		if next := ctx.Scan.Peek(); next.Type == kong.UntypedToken && beginsWithDash(ctx.Value, kind, next.String()) {
			ctx.Scan.PushTyped(ctx.Scan.Pop().Value, kong.FlagValueToken)
		}
		var text string
		if err := ctx.Scan.PopValueInto(kind, &text); err != nil {
			return err
		}
		return parse(ctx, text, target)
	})
}

// wanting is the error of a flag that ends the command line and takes a value.
func wanting(kind string) error {
	if kind == "text" {
		kind = "value"
	}
	return fmt.Errorf("want a %s after it", kind)
}

// beginsWithDash tells whether text is a value, though it looks like a flag: a number
// below zero, whose range is then told, or an order turned round.
func beginsWithDash(v *kong.Value, kind, text string) bool {
	rest, ok := strings.CutPrefix(text, "-")
	if !ok || rest == "" {
		return false
	}
	if kind == "text" {
		return v.Tag.Get("complete") == "orders" && slices.Contains(view.Orders(), rest)
	}
	return rest[0] >= '0' && rest[0] <= '9'
}

func decodeDuration(ctx *kong.DecodeContext, text string, target reflect.Value) error {
	d, err := value.Duration(text)
	if err != nil {
		return err
	}
	target.SetInt(int64(d))
	return inRange(ctx, d, value.Duration, "time", value.DurationText)
}

func decodeSize(ctx *kong.DecodeContext, text string, target reflect.Value) error {
	n, err := size.Parse(text)
	if err != nil {
		return err
	}
	target.SetInt(int64(n))
	return inRange(ctx, n, size.Parse, "size", size.Bytes.String)
}

func decodeInteger(ctx *kong.DecodeContext, text string, target reflect.Value) error {
	n, err := value.Integer(text, target.Type().Bits())
	if err != nil {
		return err
	}
	target.SetInt(n)
	return inRange(ctx, n, func(s string) (int64, error) { return value.Integer(s, 64) }, "number", decimal)
}

func decodeUnsigned(ctx *kong.DecodeContext, text string, target reflect.Value) error {
	n, err := value.Unsigned(text, target.Type().Bits())
	if err != nil {
		return err
	}
	target.SetUint(n)
	return inRange(ctx, n, func(s string) (uint64, error) { return value.Unsigned(s, 64) }, "number", decimal)
}

func decimal[N int64 | uint64](n N) string { return fmt.Sprint(n) }

// inRange holds n against the range of the flag, where it has one.
func inRange[N ~int64 | ~uint64](ctx *kong.DecodeContext, n N, parse func(string) (N, error), kind string, text func(N) string) error {
	bounds := ctx.Value.Tag.Get("range")
	if bounds == "" {
		return nil
	}
	low, high, _ := strings.Cut(bounds, "..")
	least, err1 := parse(low)
	most, err2 := parse(high)
	if err := errors.Join(err1, err2); err != nil {
		return fmt.Errorf("range of --%s: %w", ctx.Value.Name, err)
	}
	if n < least || n > most {
		return fmt.Errorf("%s: want a %s from %s to %s", text(n), kind, text(least), text(most))
	}
	return nil
}

// decodeString takes a text as it is, or the choice that it means.
func decodeString(ctx *kong.DecodeContext, text string, target reflect.Value) error {
	if ctx.Value.Enum != "" {
		meant, ok := value.Choice(text, ctx.Value.EnumSlice())
		if !ok && text != "" {
			return fmt.Errorf("%q: want %s%s", text, value.OneOf(ctx.Value.EnumSlice()), config.NearestOf(text, ctx.Value.EnumSlice()))
		}
		text = meant
	}
	target.SetString(text)
	return nil
}

// switchMapper reads what is on or off; a flag without a value is on.
type switchMapper struct{}

func (switchMapper) Decode(ctx *kong.DecodeContext, target reflect.Value) error {
	if ctx.Scan.Peek().Type != kong.FlagValueToken {
		target.SetBool(true)
		return nil
	}
	on, err := value.Switch(fmt.Sprint(ctx.Scan.Pop().Value))
	target.SetBool(on)
	return err
}

func (switchMapper) IsBool() bool { return true }

// listMapper takes space away around the elements of a list.
type listMapper struct{ elements *kong.Registry }

func (m listMapper) Decode(ctx *kong.DecodeContext, target reflect.Value) error {
	sep := ctx.Value.Tag.Sep
	token := ctx.Scan.Peek()
	if token.IsEOL() {
		return wanting("value")
	}
	if text, ok := token.Value.(string); ok && ctx.Value.Flag != nil && sep != -1 {
		ctx.Scan.Pop()
		var trimmed []string
		for _, element := range kong.SplitEscaped(text, sep) {
			trimmed = append(trimmed, strings.TrimSpace(element))
		}
		ctx.Scan.PushTyped(kong.JoinEscaped(trimmed, sep), token.Type)
	}
	return m.elements.ForType(target.Type()).Decode(ctx, target)
}
