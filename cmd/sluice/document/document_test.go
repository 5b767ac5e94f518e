package document

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
)

// commandLine is a command line with one of each that a model can have.
type commandLine struct {
	Run struct {
		Relay  string   `brief:"How bytes move." group:"path" enum:"auto,copy,splice" default:"auto" help:"How bytes move: [auto], copy's way or \\splice."`
		Proto  []string `enum:"tcp,udp" help:"Protocols."`
		Mark   uint32   `short:"m" help:"A mark."`
		Config string   `placeholder:"FILE" help:".A file; the rest is no summary."`
		Iface  []string `complete:"interfaces" placeholder:"NAME" help:"An interface."`
		User   string   `complete:"users" help:"A user."`
		Icmp   string   `each:"on: pass errors: all of them; off: don't" enum:"on,off" default:"on" help:"Errors."`
		Quick  bool     `negatable:"" help:"A switch."`
		Secret string   `hidden:"" help:"Not shown."`
	} `cmd:"" help:"Carry traffic."`
	Rules struct {
		Print struct {
			Format string `enum:"nft,iptables" default:"nft"`
		} `cmd:"" help:"Print them."`
		Remove struct{} `cmd:"" help:"Remove them."`
	} `cmd:"" help:"Look after rules."`
	Check struct {
		File string `arg:"" help:"A file."`
	} `cmd:"" help:"Check a file."`
	Completion struct {
		Shell string `arg:"" enum:"bash,zsh,fish"`
	} `cmd:"" help:"Print completions."`
	Man struct{} `cmd:"" hidden:""`
}

func application(t *testing.T) *kong.Application {
	t.Helper()
	parser, err := kong.New(&commandLine{}, kong.Name("sluice"), kong.Description("What it's for.\n'tis the description."),
		kong.ExplicitGroups([]kong.Group{{Key: "path", Title: "Data path"}}))
	if err != nil {
		t.Fatal(err)
	}
	return parser.Model
}

// write puts the document into a file.
func write(t *testing.T, name string, document func(io.Writer, *kong.Application) error) string {
	t.Helper()
	var text bytes.Buffer
	if err := document(&text, application(t)); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, text.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// fake is a directory with a program of this name, that answers what completions ask.
func fake(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	// Nothing of what it prints is for a shell to expand.
	const script = "#!/bin/sh\ncase \"$*\" in \"complete interfaces --\"*) ;; *) exit 1 ;; esac; printf 'lan0\\tup 10.0.0.1/24 fd00::1/64\\nlan1\\tdown\\nwan0\\tup\\n$(pwd)*\\todd\\n'\n"
	if err := os.WriteFile(filepath.Join(dir, "sluice"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	return dir
}

// words are the program's output, sorted.
func words(t *testing.T, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
	all := strings.Fields(string(out))
	slices.Sort(all)
	return strings.Join(all, " ")
}

func TestBash(t *testing.T) {
	script := write(t, "sluice.bash", Bash)
	fake(t)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a b.json"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	// What bash sets before it calls a completion; --flag=value comes as three words.
	const complete = `cd "$2" && source "$1" && shift 2 && COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) &&
		_sluice && printf '%s\n' "${COMPREPLY[@]}"`
	for line, want := range map[string]string{
		"sluice|":                        "check completion rules run",
		"sluice|ru":                      "rules run",
		"sluice|run|--r":                 "--relay",
		"sluice|run|--relay|":            "auto copy splice",
		"sluice|run|--relay|s":           "splice",
		"sluice|run|--relay|=":           "auto copy splice",
		"sluice|run|--relay|=|co":        "copy",
		"sluice|run|--mark|":             "",
		"sluice|run|--quick|--":          "--config --help --icmp --iface --mark --no-quick --proto --quick --relay --user",
		"sluice|run|--iface|":            `\$\(pwd\)\* lan0 lan1 wan0`,
		"sluice|run|--iface|lan0,lan1,w": "lan0,lan1,wan0",
		"sluice|run|--iface|la":          "lan0 lan1",
		"sluice|run|--iface|lan0,w":      "lan0,wan0",
		"sluice|run|--iface|=|wan":       "wan0",
		"sluice|run|--user|roo":          "root",
		"sluice|run|--icmp|":             "off on",
		"sluice|run|--proto|tcp,u":       "tcp,udp",
		"sluice|run|--config|":           "a b.json",
		"sluice|run|--config|=|a":        "a b.json",
		"sluice|check|a":                 "a b.json",
		"sluice|rules|":                  "print remove",
		"sluice|rules|print|--format":    "--format",
		"sluice|rules|print|--format|": "iptables " +
			"nft",
		"sluice|completion|":            "bash fish zsh",
		"sluice|run|--secret|":          "--config --help --icmp --iface --mark --no-quick --proto --quick --relay --user -h -m",
		"sluice|--help|rules|r":         "remove",
		"sluice|run|--help|":            "all path",
		"sluice|run|-h|p":               "path",
		"sluice|run|--help|=|a":         "all",
		"sluice|run|--quick|=|":         "off on",
		"sluice|run|--help|path|":       "--config --help --icmp --iface --mark --no-quick --proto --quick --relay --user -h -m",
		"sluice|check|-":                "--help -h",
		"sluice|run|--user|rules|--rel": "--relay",
	} {
		got := words(t, "bash", append([]string{"--norc", "-c", complete, "bash", script, dir}, strings.Split(line, "|")...)...)
		if got != want {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
}

func TestFish(t *testing.T) {
	script := write(t, "sluice.fish", Fish)
	fake(t)
	if _, err := exec.LookPath("fish"); err != nil {
		t.Log("there is no fish here to try it in")
		return
	}
	for line, want := range map[string]string{
		"sluice ru":                     "rules run",
		"sluice run --rel":              "--relay",
		"sluice run --relay ":           "auto copy splice",
		"sluice run --iface l":          "lan0:up 10.0.0.1/24 fd00::1/64 lan1:down",
		"sluice run --icmp ":            "off:don't on:pass errors: all of them",
		"sluice run --user roo":         "root:root",
		"sluice rules ":                 "print remove",
		"sluice rules print --":         "--format --help",
		"sluice rules check --":         "--help", // no such command: what rules has
		"sluice run --user rules --rel": "--relay",
		"sluice run --proto tcp,":       "tcp,tcp tcp,udp",
		"sluice run --iface=lan0,w":     "--iface=lan0,wan0",
		"sluice run --help ":            "all:Every flag path:Data path",
		"sluice run -h p":               "path",
		"sluice completion ":            "bash fish zsh",
	} {
		out, err := exec.Command("fish", "--no-config", "-c", `source $argv[1]; complete -C $argv[2]`, script, line).CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		var got []string
		for candidate := range strings.Lines(string(out)) {
			word, meaning, _ := strings.Cut(strings.TrimSpace(candidate), "\t")
			if strings.Contains(want, ":") {
				word += ":" + meaning
			}
			got = append(got, word)
		}
		slices.Sort(got)
		if text := strings.Join(got, " "); text != want {
			t.Errorf("%s: %q, want %q", line, text, want)
		}
	}
}

// TestZsh asks compsys itself, through a terminal of its own (zpty): the
// completions that it would list are what the script hands to compadd.
func TestZsh(t *testing.T) {
	script := write(t, "_sluice", Zsh)
	fake(t)
	if _, err := exec.LookPath("zsh"); err != nil {
		t.Log("there is no zsh here to try it in")
		return
	}
	const complete = `
		zmodload zsh/zpty && zpty asked zsh -f -i
		zpty -w asked "PS1= ; fpath=(${1:h} \$fpath); autoload -Uz compinit; compinit -u -D"
		zpty -w asked 'null() { compadd() { builtin compadd -O offered "$@"; print -r -- "<${(j: :)offered}>"; builtin compadd "$@" }; _main_complete }'
		zpty -w asked "zle -C ask complete-word null; bindkey '^T' ask; print re''ady"
		zpty -r asked line '*ready*' && zpty -w -n asked "$2"$'\t'
		zpty -w -n asked $'\C-T'
		zpty -r -m asked line '*<*>*' && print -r -- ${${line##*<}%%>*}`
	for line, want := range map[string]string{
		"sluice rules ":             "print remove",
		"sluice run --relay=":       "auto copy splice",
		"sluice run --icmp=":        "off on",
		"sluice run --iface=":       "$(pwd)* lan0 lan1 wan0",
		"sluice run --iface lan0,l": "lan0 lan1", // behind the comma
		"sluice run --proto tcp,":   "tcp udp",
		"sluice run --help ":        "all path",
		"sluice --help ":            "check completion rules run",
	} {
		if got := words(t, "zsh", "-f", "-c", complete, "zsh", script, line); got != want {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
}

func TestMan(t *testing.T) {
	path := write(t, "sluice.8", func(w io.Writer, app *kong.Application) error {
		return Man(w, app, Page{"2026-11-27", "sluice 1.0-rc", "a tag - line"}, []Section{
			{"Files", "\nFirst.\n\n  an example\n    { with \"quotes\" }\n\n  of two parts\n\n.Second \\ with -- hyphens.\n'Third."},
		})
	})
	out, err := exec.Command("groff", "-man", "-ww", "-z", "-Tutf8", path).CombinedOutput()
	if err != nil || len(out) > 0 {
		t.Errorf("groff: %v\n%s", err, out)
	}
	rendered, err := exec.Command("groff", "-man", "-Tascii", "-P-c", "-P-b", "-P-o", "-P-u", path).Output()
	if err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(string(rendered), ".  ", ". ") // groff parts sentences so
	for _, want := range []string{
		"sluice - a tag - line", "2026-11-27", "sluice run [flags]", "sluice rules print [flags]", "sluice rules remove\n", "sluice check <file>",
		"What it's for. 'tis the description.", "Data path", "--relay auto|copy|splice",
		`How bytes move: [auto], copy's way or \splice. Default: auto.`, "--mark, -m N", "--quick, --no-quick\n", "--proto TEXT",
		"    an example\n           { with \"quotes\" }\n\n         of two parts\n\n", `.Second \ with -- hyphens. 'Third.`, "sluice 1.0-rc",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, rendered)
		}
	}
	for _, unwanted := range []string{"secret", "sluice man"} {
		if strings.Contains(text, unwanted) {
			t.Errorf("%q in\n%s", unwanted, rendered)
		}
	}
}

// TestTopics: the groups of a command with a first page of its own, and no other's.
func TestTopics(t *testing.T) {
	app := application(t)
	for _, node := range commands(app.Node) {
		var want []Word
		if node.Name == "run" {
			want = []Word{{"path", "Data path"}, {All, "Every flag"}}
		}
		if got := Topics(node); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", node.Name, got, want)
		}
	}
}
