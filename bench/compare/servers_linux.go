package compare

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sluice/bench/lab"
)

// serve starts the servers of each lab.
func (r *rig) serve(ctx context.Context) error {
	for i, l := range r.labs {
		if err := r.serveIn(ctx, l, fmt.Sprintf("server%d", i)); err != nil {
			return err
		}
	}
	return nil
}

// serveIn starts the servers of a lab: nginx for HTTP, package serve in a process of
// its own (which has its own limit of descriptors), and a SOCKS server where a peer
// needs one. iperf3's server is started for each load.
func (r *rig) serveIn(ctx context.Context, l *lab.Lab, name string) error {
	var http, echo []uint16
	var proxy []string // arguments of the SOCKS server; none: it is not needed
	args := []string{"serve"}
	for _, p := range r.peers {
		if p.lab != l {
			continue
		}
		if p.LeftOut == "" {
			http, echo = append(http, p.dest()+portHTTP), append(echo, p.dest()+portServe)
			args = append(args, fmt.Sprintf("--listen=0.0.0.0:%d", p.dest()+portServe))
		}
		if p.LeftOut == "" && (p.Role == Socks || p.socks) {
			proxy = append(proxy, relaysOf(p)...)
		}
	}
	if len(http) == 0 {
		return nil
	}
	if len(proxy) > 0 {
		if err := r.serveSocks(ctx, l, proxy); err != nil {
			return err
		}
	}
	file := filepath.Join(r.dir, name+".conf")
	if err := os.WriteFile(file, []byte(r.httpConfig(name, http)), 0o644); err != nil {
		return err
	}
	web, err := r.server(l, "nginx (server)", "nginx", "-c", file)
	if err != nil {
		return err
	}
	own, err := r.server(l, "sluice-bench serve", r.program, args...)
	if err != nil {
		return err
	}
	if err := web.listens(ctx, http, nil); err != nil {
		return err
	}
	return own.listens(ctx, echo, echo)
}

// relaysOf are the arguments of the SOCKS server that a peer needs: its address, and
// relays to the ports of a peer whose clients address those.
func relaysOf(p *peer) []string {
	args := []string{fmt.Sprintf("--listen=0.0.0.0:%d", socksListen)}
	if p.Role == Socks { // the web server's cost is no part of the comparison
		args = append(args, fmt.Sprintf("--answer=%s:%d", serverAddress, p.dest()+portHTTP))
	}
	for port := range uint16(portsUsed) {
		if p.relayed {
			args = append(args, fmt.Sprintf("--relay=0.0.0.0:%d=%s:%d", p.dest()+portRelay+port, serverAddress, p.dest()+port))
		}
	}
	return args
}

// serveSocks starts a SOCKS server, in a process of its own.
func (r *rig) serveSocks(ctx context.Context, l *lab.Lab, args []string) error {
	slices.Sort(args) // a listener is named once, however many peers need it
	proxy, err := r.server(l, "sluice-bench socks", r.program, append([]string{"socks"}, slices.Compact(args)...)...)
	if err != nil {
		return err
	}
	return proxy.listens(ctx, []uint16{socksListen}, nil)
}

// server starts a program in a lab's server namespace.
func (r *rig) server(l *lab.Lab, name, program string, args ...string) (*process, error) {
	p, err := start(l.Server, name, program, args...)
	if err == nil {
		r.servers = append(r.servers, p)
	}
	return p, err
}

// httpBody is what nginx answers with.
const httpBody = 128 // bytes

// httpConfig makes nginx answer on all the ports from memory.
func (r *rig) httpConfig(name string, ports []uint16) string {
	var b strings.Builder
	fmt.Fprintf(&b, "user root;\nworker_processes 2;\nworker_rlimit_nofile %d;\ndaemon off;\npid %s;\nerror_log stderr crit;\n",
		fileLimit(), filepath.Join(r.dir, name+".pid"))
	fmt.Fprintf(&b, "events { worker_connections %d; }\nhttp {\n access_log off;\n keepalive_requests 1000000000;\n keepalive_timeout 5m;\n", fileLimit())
	if lab.Entered() { // an ordinary user's nginx may not take the folders of the system's
		for _, module := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
			fmt.Fprintf(&b, " %s_temp_path %s;\n", module, filepath.Join(r.dir, name+"-"+module))
		}
	}
	b.WriteString(" server {\n")
	for _, p := range ports {
		fmt.Fprintf(&b, "  listen %d reuseport backlog=4096;\n", p)
	}
	fmt.Fprintf(&b, "  location / { return 200 %q; }\n }\n}\n", strings.Repeat("s", httpBody))
	return b.String()
}
