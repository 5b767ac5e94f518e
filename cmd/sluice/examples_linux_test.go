package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// commandsOf are the command lines of sluice that stand in a text by themselves.
func commandsOf(text string) (lines []string) {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(line), "&"))
		if i := strings.Index(line, " #"); i >= 0 {
			line = strings.TrimSpace(line[:i])
		}
		if strings.HasPrefix(line, "sluice ") && !strings.ContainsAny(line, "|…<>`") {
			lines = append(lines, strings.NewReplacer("'", "", `"`, "").Replace(line))
		}
	}
	return lines
}

// TestExamples: every command line of the manual's examples can be given, and so can
// those of README's that stand in a line of their own.
func TestExamples(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	var indented strings.Builder // code
	for line := range strings.Lines(string(readme)) {
		if strings.HasPrefix(line, "    sluice ") && !strings.HasSuffix(line, "\\\n") {
			indented.WriteString(line)
		}
	}
	manual, read := commandsOf(examplesText), commandsOf(indented.String())
	if len(manual) < 12 || len(read) < 20 {
		t.Fatalf("%d examples in the manual, %d in README", len(manual), len(read))
	}
	for _, line := range append(manual, read...) {
		args := strings.Fields(line)[1:]
		if args[0] == "--help" || args[len(args)-1] == "--help" || strings.Contains(line, "--config ") || args[0] == "check" {
			continue // answered at once, or by a file that is not here
		}
		if _, err := parse(args); err != nil {
			t.Errorf("%s: %v", line, err)
		}
	}
}

// TestReadmeKnows: every flag that README names in code is one, of some command.
func TestReadmeKnows(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	ctx, err := parse([]string{"status"})
	if err != nil {
		t.Fatal(err)
	}
	_ = kong.Visit(ctx.Model, func(node kong.Visitable, next kong.Next) error {
		if flag, ok := node.(*kong.Flag); ok {
			known["--"+flag.Name] = true
		}
		return next(nil)
	})
	code := regexp.MustCompile("`sluice [^`]*`")
	flags := regexp.MustCompile(`--[a-z][a-z-]+`)
	for _, text := range code.FindAllString(string(readme), -1) {
		for _, flag := range flags.FindAllString(text, -1) {
			if !known[flag] {
				t.Errorf("%s: there is no %s", text, flag)
			}
		}
	}
}

func TestDateOfManual(t *testing.T) {
	for _, c := range []struct{ commit, epoch, want string }{
		{"2026-11-27T20:00:14Z", "", "2026-11-27"}, {"2026-11-27T23:30:00-05:00", "", "2026-11-28"}, {"2026-11-27T20:00:14Z", "1700000000", "2023-11-14"}, {"", "", ""}, {"x", "y", ""},
	} {
		if got := dateOf(c.commit, c.epoch); got != c.want {
			t.Errorf("%q, %q: %q", c.commit, c.epoch, got)
		}
	}
	titles := []string{}
	for _, s := range manual() {
		titles = append(titles, s.Title)
	}
	if got := strings.Join(titles, ", "); !strings.HasSuffix(got, "Exit status, Files, Examples, See also") {
		t.Errorf("sections: %s", got)
	}
}
