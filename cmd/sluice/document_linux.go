package main

import (
	"io"
	"os"
	"strconv"
	"time"

	"github.com/alecthomas/kong"

	"sluice/cmd/sluice/document"
)

// completionCmd is `sluice completion`.
type completionCmd struct {
	Shell string `each:"bash: 4 and later; zsh: compsys; fish: 3 and later" arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// Run prints the script, for the shell to read or for the directory where it
// looks for completions.
func (cmd *completionCmd) Run(ctx *kong.Context) error {
	write := map[string]func(io.Writer, *kong.Application) error{
		"bash": document.Bash, "zsh": document.Zsh, "fish": document.Fish,
	}[cmd.Shell]
	return write(os.Stdout, ctx.Model)
}

// manCmd is `sluice man`.
type manCmd struct{}

// Run prints the manual page in roff.
func (manCmd) Run(ctx *kong.Context) error {
	page := document.Page{Date: dateOf(thisProgram().Time, os.Getenv("SOURCE_DATE_EPOCH")), Source: version(), Tagline: "transparent proxy for Linux gateways"}
	return document.Man(os.Stdout, ctx.Model, page, manual())
}

// dateOf is that of the commit, or what who builds packages says (a number of seconds,
// reproducible-builds.org/specs/source-date-epoch).
func dateOf(commit, epoch string) string {
	if seconds, err := strconv.ParseInt(epoch, 10, 64); err == nil {
		return time.Unix(seconds, 0).UTC().Format(time.DateOnly)
	}
	if at, err := time.Parse(time.RFC3339, commit); err == nil {
		return at.UTC().Format(time.DateOnly)
	}
	return ""
}

// examplesText is lines of what somebody wants and of how that is done.
const examplesText = `
A gateway whose LAN is at lan0, and through which nothing passes without sluice:

  sluice doctor --iface lan0
  sluice run --tproxy :12345 --install-rules --iface lan0 --fail closed

Everything by a SOCKS5 proxy, but for the private networks:

  sluice run --tproxy :12345 --install-rules --iface lan0 --upstream socks5://192.0.2.7 --direct 10.0.0.0/8

Only the web, only TCP, by NAT:

  sluice run --redirect :12346 --install-rules --via redirect --iface lan0 --dport 80,443

Servers behind a proxy that see each client's own address:

  sluice run --forward :80=10.0.0.5:80,tcp --source client --install-rules

What comes to port 80 goes to port 50080 of the same address:

  sluice run --tproxy :12345 --install-rules --iface lan0 --map 80=50080

A configuration file is tried, then taken without an outage:

  sluice check /etc/sluice/sluice.json
  sluice route explain 10.0.0.7 203.0.113.5:443 --domain www.example.org
  systemctl reload sluice

Who uses the line, and an end to one of them:

  sluice top
  sluice flows --client 10.0.0.7 --sort bytes --limit 10
  sluice kill --client 10.0.0.7 --older 1h

The rules as text, for a firewall of one's own:

  sluice rules print --port 12345 --iface lan0 --format nft

Everybody 10 MiB a second down and 2 up, guests apart:

  sluice run --tproxy :12345 --client-rate 2MiB,10MiB --client-exempt 10.0.0.2`

// configurationText is what the page says of the file.
const configurationText = `
The file is JSON, in which comments (// and /* */) and commas after a last element are fine. Inbounds stand in a list; an inbound alone is a file too:

  {
    "inbounds": [
      {
        "type": "tproxy",
        "tag": "tproxy-in",
        "listen": "::",
        "listen_port": 12345,
        "network": ["tcp", "udp"],
        "udp_timeout": "5m"
      }
    ],
    "max_conns": 10000,
    "mark": 2
  }

An inbound has type (redirect, tproxy or direct), listen_port, and if wanted tag, listen (:: by default, which is both families), network (a string or a list; all that the type carries by default), udp_timeout and udp_query_timeout, iface (a name, a pattern as ppp*, or a list: with install_rules, what arrives there is diverted to this inbound), and for what it dials source, mark, bind_iface and send_proxy, and client_rate, how fast each client may be by it alone ("1MiB,8MiB", from it and to it). A direct one leads to override_address (an address or a name), at override_port or else at listen_port.

Outbounds stand in a list too, each with type (direct, block, socks, http, forward, urltest) and tag. One of the tag direct is there without being written. One that dials may have source (or inet4_bind_address, inet6_bind_address), mark (routing_mark), bind_iface (bind_interface) and connect_timeout; socks and http have server, server_port, username, and password or password_file. A password of "env:NAME" is that variable's. fallback is the tag of the outbound that is taken while the server is out of reach. block has method: reset or drop. urltest has outbounds, url (http://HOST/PATH, of which the first byte is awaited, or HOST:PORT or https://HOST, which are connected to), interval, tolerance (milliseconds) and fallback, and takes the fastest.

  {
    "outbounds": [
      {"type": "socks", "tag": "proxy", "server": "192.0.2.7", "server_port": 1080,
       "username": "joe", "password_file": "/etc/sluice/proxy.password", "fallback": "direct"},
      {"type": "direct", "tag": "direct"}
    ]
  }

A route has rules, of which the first that a flow meets decides, rule_set and final, the tag of the outbound for flows that meet none; without it, the first outbound. A rule has an outbound, an override_port or both, or action "reject" (with method "drop": no answer). It asks for inbound (tags), network, source_ip_cidr or source_ip_is_private, source_port or source_port_range ("1000:2000", ":3000", "4000:"), port or port_range, source_mac_address (of neighbours), time (local, as "mon-fri 08:00-17:00", "22:00-06:00") and, of the destination, one of ip_cidr, ip_is_private, domain, domain_suffix ("example.com" with the names below it, ".example.com" these alone), domain_keyword and rule_set; each takes one or a list, and invert turns the rule round. A rule of type "logical" joins its rules by mode "and" or "or". A rule set has tag, path and format: list (a network, an address or a name a line) or source (sing-box's JSON). Names are those in a flow's first bytes (TLS, HTTP, QUIC), which are looked at only where a rule needs them. route explain says what becomes of a flow.

  {
    "route": {
      "rule_set": [{"tag": "list", "format": "list", "path": "list.txt"}],
      "rules": [
        {"ip_is_private": true, "outbound": "direct"},
        {"rule_set": "list", "outbound": "proxy"},
        {"network": "udp", "port": 443, "action": "reject"}
      ],
      "final": "direct"
    }
  }

Every other flag of run, but for --detach, those that name inbounds and routes, and the group Configuration, is a key too: its name with _ for -. Flags of the group Rules stand in an object "rules". Where a flag may be repeated, the key takes a list. Values are written as for the flag: times as 5 (seconds), 5s, 1m30s or 1d; numbers as 255 or 0xff; sizes as 65536 or 64KiB; what is on or off as on, true, yes, 1 or off, false, no, 0.

Several files are read as one, in the order of their names: inbounds, outbounds, rules and rule sets are joined; of other keys the last value holds. Without --config, /etc/sluice/sluice.json is read, and then /etc/sluice/conf.d/*.json. sluice check says all that is wrong with them.

A flag comes before its environment variable, that before the file, and the file before the default. If any --redirect, --tproxy or --forward is given, the file's inbounds are left out. --upstream comes before the file's final, and instead of an outbound with the tag upstream; --block and --direct come before the file's rules. run --print-config prints what comes of it.`

// controlText is what the page says of the control socket.
const controlText = `
It speaks HTTP and JSON. status, flows, kill, top and health ask there; so may curl:

  curl --unix-socket /run/sluice/control.sock http://localhost/v1/status

GET /v1/status, /v1/counters, /v1/config, /v1/top (?by=client or destination), /v1/flows, /v1/flows/ID, /v1/log-level: what is so. DELETE /v1/flows/ID ends one flow, DELETE /v1/flows those that filters name (or all=true). PUT /v1/log-level sets the level until the next reload, POST /v1/reload does what SIGHUP does and says what has changed, POST /v1/drain what SIGTERM does. GET /v1/events is a stream of server-sent events with a sample a second. /healthz and /readyz answer 200, or 503 with the causes; /metrics is for Prometheus, and / is a page for browsers.

Filters are client, destination, port, network, inbound, outbound, state, older, younger, idle, rate and held; sort, limit and after make pages. They are called as the flags of flows are. Errors are JSON too (RFC 9457), with a detail that says what to do. Fields may be added within /v1; none goes, and none changes its meaning.

Its socket is for the account and its group (mode 0660). With --control ADDR:PORT everybody who asks must have a token, of 16 bytes or more: Authorization: Bearer TOKEN. No client's traffic is carried there, whatever --allow-local says. What goes over TCP is not encrypted: use an address that is trusted, or ssh -L 8080:/run/sluice/control.sock GATEWAY.`

// manual is what the page says beside commands and flags.
func manual() []document.Section {
	return []document.Section{
		{Title: "Configuration file", Text: configurationText},
		{Title: "Control socket", Text: controlText},
		{Title: "Environment", Text: `
Each flag of run has a variable: SLUICE_ and its name in capitals with _ for -, as SLUICE_UDP_TIMEOUT. An empty one is as good as none; one that no flag has is warned of. SLUICE_CONTROL is also where status, flows, kill, top and health ask, and SLUICE_CONTROL_TOKEN the token, where it is in no file.

NOTIFY_SOCKET and WATCHDOG_USEC are those of sd_notify(3), JOURNAL_STREAM that of systemd.exec(5). NO_COLOR turns colours off.`},
		{Title: "Signals", Text: `
SIGTERM, SIGINT: refuse what is new, let running connections finish for --drain-timeout, then end. A second one ends at once.

SIGHUP: reread the files, also those that are new in their directory. Inbounds open and close, limits and timeouts change, without touching what runs. A file that is not right changes nothing, and the log says why. The file of --access-log is opened anew, also where there is no file.

SIGUSR1: log the counters.

With --install-rules a second process, sluice-keeper, holds the rules. It ignores these signals, and ends when the first does.`},
		{Title: "Restart", Text: `
A second run that listens at the same address takes over: it gets the listening sockets and the rules of the first, which drains for --drain-timeout and ends. From the ready line of the second on, all that is new is served by it. One that does not get ready changes nothing. With --takeover off, the address is in use.

Both must run as the same user, with the same --user. They find each other by abstract unix sockets, @sluice-tcp-ADDR and @sluice-udp-ADDR, in one network namespace.`},
		{Title: "Exit status", Text: `
0: all went well. 1: something failed; one line on standard error, or the log, says what. 2: the command line is wrong.`},
		{Title: "Files", Text: `
/etc/sluice/sluice.json and /etc/sluice/conf.d/*.json are read without --config.

/run/sluice/control.sock is the control socket, where its directory is there, as for that service it is.

/var/log/sluice is where it may have an access log, and /etc/logrotate.d/sluice rotates that.`},
		{Title: "Examples", Text: examplesText},
		{Title: "See also", Text: `
nft(8), ip-rule(8), ip-route(8), systemd.service(5)`},
	}
}
