package compare

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// serve starts the servers: nginx for HTTP, package serve in a process of its own
// (which has its own limit of descriptors), and a SOCKS server where a peer needs
// one. iperf3's server is started for each load.
func (r *rig) serve(ctx context.Context) error {
	var http, echo []uint16
	args := []string{"serve"}
	for _, p := range r.peers {
		if p.LeftOut == "" {
			http, echo = append(http, p.dest()+portHTTP), append(echo, p.dest()+portServe)
			args = append(args, fmt.Sprintf("--listen=0.0.0.0:%d", p.dest()+portServe))
		}
		if p.Kind == "redsocks" && p.LeftOut == "" && r.socks == nil {
			var err error
			if r.socks, err = newSocksServer(r.lab.Server, socksListen); err != nil {
				return err
			}
		}
	}
	file := filepath.Join(r.dir, "server.conf")
	if err := os.WriteFile(file, []byte(r.httpConfig(http)), 0o644); err != nil {
		return err
	}
	web, err := r.server("nginx (server)", "nginx", "-c", file)
	if err != nil {
		return err
	}
	own, err := r.server("sluice-bench serve", r.program, args...)
	if err != nil {
		return err
	}
	if err := web.listens(ctx, http, nil); err != nil {
		return err
	}
	return own.listens(ctx, echo, echo)
}

// server starts a program in the server's namespace.
func (r *rig) server(name, program string, args ...string) (*process, error) {
	p, err := start(r.lab.Server, name, program, args...)
	if err == nil {
		r.servers = append(r.servers, p)
	}
	return p, err
}

// httpBody is what nginx answers with.
const httpBody = 128 // bytes

// httpConfig makes nginx answer on all the ports from memory.
func (r *rig) httpConfig(ports []uint16) string {
	var b strings.Builder
	fmt.Fprintf(&b, "user root;\nworker_processes 2;\nworker_rlimit_nofile %d;\ndaemon off;\npid %s;\nerror_log stderr crit;\n",
		fileLimit(), filepath.Join(r.dir, "server.pid"))
	fmt.Fprintf(&b, "events { worker_connections %d; }\nhttp {\n access_log off;\n keepalive_requests 1000000000;\n keepalive_timeout 5m;\n server {\n", fileLimit())
	for _, p := range ports {
		fmt.Fprintf(&b, "  listen %d reuseport backlog=4096;\n", p)
	}
	fmt.Fprintf(&b, "  location / { return 200 %q; }\n }\n}\n", strings.Repeat("s", httpBody))
	return b.String()
}
