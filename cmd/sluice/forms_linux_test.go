package main

import (
	"fmt"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"sluice/redir/size"
)

// form is one value of a kind, however it is written.
type form struct {
	same []string // texts
	json []string // what stands for it in the file beside these as strings
}

// formsOf are values that a setting takes.
func formsOf(s setting, value any) []form {
	switch {
	case slices.Equal(s.Enum, []string{"on", "off"}):
		return []form{{[]string{"off", "no", "FALSE", "0", " off "}, []string{"false", "0"}}, {[]string{"on", "yes", "True", "1"}, []string{"true", "1"}}}
	case slices.Contains(s.Enum, "off"):
		return []form{{[]string{"off", "no", "false", "0", "OFF"}, []string{"false"}}}
	case s.Enum != nil:
		return []form{{[]string{s.Enum[0], strings.ToUpper(s.Enum[0]), " " + s.Enum[0] + " "}, nil}}
	}
	switch value.(type) {
	case time.Duration:
		return []form{{[]string{"0.001", "1ms", "1000us", " 1ms "}, []string{"0.001"}}, {map[bool][]string{true: {"3600", "3600s", "60m", "1h"}, false: {"0.0005", "0.5ms", "500us"}}[s.flag.Tag.Get("range") == "1ms..365d" || s.flag.Tag.Get("range") == "0..365d"], nil}}
	case size.Bytes:
		return []form{{[]string{"65536", "64KiB", "64kib", "64K", "0x10000", "64 KiB", "65_536"}, []string{"65536"}}}
	case int, uint32:
		return []form{{[]string{"64", "0x40", "0b1000000", "0o100", " 64 "}, []string{"64"}}}
	case bool:
		return []form{{[]string{"true", "on", "yes", "1", "TRUE"}, []string{"true", "1"}}, {[]string{"false", "off", "no", "0"}, []string{"false", "0"}}}
	case clientBound:
		return []form{{[]string{"256", "0x100", " 256"}, []string{"256"}}, {[]string{"off", "no", "false", "Off"}, []string{"false"}}, {[]string{"auto", "0", "AUTO"}, []string{"0"}}}
	case keepalive:
		return []form{{[]string{"60,5,3", "60s,5s,3", "1m, 5s, 0x3"}, nil}, {[]string{"off", "0", "false", "no"}, []string{"false", "0"}}}
	case fwmark:
		return []form{{[]string{"16/255", "0x10/0xff", "0b10000/0xFF"}, nil}}
	}
	return nil
}

// TestFormsAreEqual writes values in every form by flag, by variable and in the file:
// what comes of it is the same.
func TestFormsAreEqual(t *testing.T) {
	ctx, _ := parseRun(t, "--tproxy", ":1")
	kinds := map[reflect.Type]bool{}
	for _, s := range settings(ctx.Selected()) {
		for _, f := range formsOf(s, s.flag.Target.Interface()) {
			kinds[s.flag.Target.Type()] = true
			var want []string
			is := func(way, form string, got []string, err error) {
				t.Helper()
				if want == nil {
					want = got
				}
				if err != nil || !slices.Equal(got, want) {
					t.Errorf("%s %s %s: %q, %v; want %q", s.Path(), way, form, got, err, want)
				}
			}
			for _, text := range f.same {
				got, err := valueOf(s.flag.Name, "--"+s.flag.Name+"="+text)
				is("flag", text, got, err)
				t.Setenv(s.flag.Envs[0], text)
				got, err = valueOf(s.flag.Name)
				is("variable", text, got, err)
				os.Unsetenv(s.flag.Envs[0])
			}
			inFile := slices.Clone(f.json)
			for _, text := range f.same {
				inFile = append(inFile, strconv.Quote(text))
			}
			for _, text := range inFile {
				body := fmt.Sprintf(`%q: %s`, s.Name, text)
				if s.Object != "" {
					body = fmt.Sprintf(`%q: {%s}`, s.Object, body)
				}
				got, err := valueOf(s.flag.Name, "--config="+writeFile(t, "{"+body+"}"))
				is("file", text, got, err)
			}
		}
	}
	if len(kinds) < 8 {
		t.Errorf("forms of %d kinds only", len(kinds))
	}
}

// valueOf is what a flag of run has come to.
func valueOf(name string, args ...string) ([]string, error) {
	ctx, err := parse(append([]string{"run", "--tproxy=:1"}, args...), withVariables())
	if err != nil {
		return nil, err
	}
	for _, s := range settings(ctx.Selected()) {
		if s.flag.Name == name {
			return texts(s.flag.Target), nil
		}
	}
	return nil, fmt.Errorf("no flag %s", name)
}

// TestRanges takes the least and the most of every range, and names the range to
// whatever is beyond it, by flag and in the file with its place.
func TestRanges(t *testing.T) {
	ctx, _ := parseRun(t, "--tproxy", ":1")
	ranges := 0
	for _, s := range settings(ctx.Selected()) {
		bounds := s.flag.Tag.Get("range")
		if bounds == "" {
			continue
		}
		ranges++
		low, high, _ := strings.Cut(bounds, "..")
		for _, text := range []string{low, high} {
			ctx, err := parse([]string{"run", "--tproxy=:1", "--" + s.flag.Name + "=" + text})
			if err == nil {
				err = runOf(ctx).validate()
			}
			if err != nil {
				t.Errorf("%s: %v", s.Path(), err)
			}
		}
		for _, text := range []string{"-1", "99999999999d", "18446744073709551616", "1e3", "x", ""} {
			if _, err := valueOf(s.flag.Name, "--"+s.flag.Name+"="+text); err == nil || !strings.Contains(err.Error(), "want ") && !strings.Contains(err.Error(), "too large") {
				t.Errorf("--%s=%q: %v", s.flag.Name, text, err)
			}
			if text == "" {
				continue
			}
			body := fmt.Sprintf("{\n  %q: %q}", s.Name, text)
			at := ":2:"
			if s.Object != "" {
				body = fmt.Sprintf("{\n%q: {\n %q: %q}}", s.Object, s.Name, text)
				at = ":3:"
			}
			if _, err := valueOf(s.flag.Name, "--config="+writeFile(t, body)); err == nil || !strings.Contains(err.Error(), at) || !strings.Contains(err.Error(), s.Path()+": ") {
				t.Errorf("%s: %q: %v", s.Path(), text, err)
			}
		}
	}
	if ranges < 18 {
		t.Errorf("%d ranges", ranges)
	}
}

// TestVariables: empty ones are none, and those that nobody reads are told of.
func TestVariables(t *testing.T) {
	for name, text := range map[string]string{
		"SLUICE_UDP_TIMEOUT": "", "SLUICE_UDP_TIMOUT": "5m", "SLUICE_MARK": "7", "SLUICE_CONTROL_TOKEN": "x", "SLUICE_PORT_80_TCP": "x", "SLUICE_SERVICE_HOST": "x",
	} {
		t.Setenv(name, text)
	}
	dropEmptyVariables()
	ctx, run := parseRun(t, "--tproxy", ":1")
	if run.UDPTimeout != 5*time.Minute || run.Mark != 7 {
		t.Errorf("udp_timeout %v, mark %d", run.UDPTimeout, run.Mark)
	}
	want := []string{"SLUICE_UDP_TIMOUT: there is no such variable; the nearest known one is SLUICE_UDP_TIMEOUT"}
	if lines := unknownVariables(ctx.Model); !slices.Equal(lines, want) {
		t.Errorf("%q", lines)
	}
	t.Setenv("SLUICE_UDP_TIMEOUT", "abc")
	if _, err := valueOf("udp-timeout"); err == nil || !strings.Contains(err.Error(), "SLUICE_UDP_TIMEOUT") {
		t.Errorf("%v", err)
	}
}
