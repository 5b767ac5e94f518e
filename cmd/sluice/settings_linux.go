package main

import (
	"encoding"
	"fmt"
	"reflect"
	"strconv"
	"time"

	"github.com/alecthomas/kong"

	"sluice/redir/config"
	"sluice/redir/value"
)

// setting is a flag of `sluice run` that a file may set as well.
type setting struct {
	config.Key
	flag *kong.Flag
}

// rulesGroup is the group of the flags that stand in an object of its own in
// the file, by that name.
const rulesGroup = "rules"

// settings are the run command's, those of the rules at the end. A flag's key
// is its name with _ for -.
func settings(run *kong.Node) []setting {
	var own, rules []setting
	for _, flag := range run.Flags {
		if flag.Tag.Get("file") == "-" {
			continue
		}
		s := setting{keyOf(flag), flag}
		s.Check = s.check
		if s.Object == rulesGroup {
			rules = append(rules, s)
		} else {
			own = append(own, s)
		}
	}
	return append(own, rules...)
}

func keyOf(flag *kong.Flag) config.Key {
	k := config.Key{Name: keyName(flag.Name), List: flag.IsSlice()}
	if flag.Group != nil && flag.Group.Key == rulesGroup && flag.Tag.Get("file") != "top" {
		k.Object = rulesGroup
	}
	if flag.Enum != "" {
		k.Enum = flag.EnumSlice()
	}
	value := flag.Target.Type()
	for value.Kind() == reflect.Pointer || value.Kind() == reflect.Slice {
		value = value.Elem()
	}
	k.Kind = kindOf(value)
	return k
}

func kindOf(value reflect.Type) config.Kind {
	if reflect.PointerTo(value).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) {
		return config.Text
	}
	if value == reflect.TypeFor[time.Duration]() {
		return config.Duration
	}
	switch value.Kind() {
	case reflect.Bool:
		return config.Bool
	case reflect.Int, reflect.Int64, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return config.Integer
	case reflect.String:
		return config.String
	}
	return config.Text
}

func keyName(flag string) string {
	name := []byte(flag)
	for i, c := range name {
		if c == '-' {
			name[i] = '_'
		}
	}
	return string(name)
}

// check lets the flag find fault with a text, without setting it.
func (s setting) check(text string) error {
	scratch := reflect.New(s.flag.Target.Type()).Elem()
	return s.flag.Mapper.Decode(&kong.DecodeContext{
		Value: s.flag.Value, Scan: kong.Scan().PushTyped(s.token([]string{text}), kong.FlagValueToken),
	}, scratch)
}

// token is the texts as the command line would give them.
func (s setting) token(texts []string) string {
	if s.List {
		return kong.JoinEscaped(texts, s.flag.Tag.Sep)
	}
	return texts[0]
}

// texts are the values that the flag has, from wherever.
func texts(v reflect.Value) []string {
	switch held := v.Interface().(type) {
	case time.Duration:
		return []string{value.DurationText(held)}
	case fmt.Stringer:
		return []string{held.String()}
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		return texts(v.Elem())
	case reflect.Slice:
		all := []string{}
		for i := range v.Len() {
			all = append(all, texts(v.Index(i))...)
		}
		return all
	case reflect.Bool:
		return []string{strconv.FormatBool(v.Bool())}
	}
	return []string{fmt.Sprint(v.Interface())}
}

// config is what is in effect.
func (cmd *runCmd) config(ctx *kong.Context) config.Config {
	c := config.Config{Inbounds: cmd.inbounds(), Outbounds: cmd.outbounds(), Route: cmd.route()}
	for _, s := range settings(ctx.Selected()) {
		c.Settings = append(c.Settings, config.Setting{Key: s.Key, Texts: texts(s.flag.Target)})
	}
	return c
}
