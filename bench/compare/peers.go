package compare

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
)

// haproxy splices always (splice-auto never did, in 2.6) through pipes of 256 KiB.
// A connection takes two descriptors and, by HAProxy's default, up to half a pipe
// more; what remains is its own.
func haproxy(s seat) recipe {
	conns := int(s.fileLimit) * 3 / 10
	const text = `global
    nbthread 2
    maxconn %d
    tune.pipesize 262144
defaults
    mode tcp
    timeout connect 10s
    timeout client 5m
    timeout server 5m
    option splice-request
    option splice-response
frontend in
    bind 0.0.0.0:%d transparent
    default_backend out
backend out
    server s *
`
	return recipe{
		Peer:    Peer{Name: HAProxy, Kind: HAProxy, Way: TProxy, Note: "TCP only; 2 threads, splice in both directions, pipes of 256 KiB"},
		program: "haproxy", args: []string{"-db", "-q", "-f", filepath.Join(s.dir, "haproxy.cfg")},
		files:   map[string]string{"haproxy.cfg": fmt.Sprintf(text, conns, s.listen())},
		version: []string{"-v"}, conns: conns,
	}
}

// nginxModule is where Debian keeps the stream module; elsewhere it is built in.
const nginxModule = "/usr/lib/nginx/modules/ngx_stream_module.so"

// nginxStream cannot find out where a connection was going, so each of its ports
// has one destination. It cuts a reply off at proxy_buffer_size, 16 KiB unless told.
func nginxStream(s seat) recipe {
	var b strings.Builder
	fmt.Fprintf(&b, "%suser root;\nworker_processes 2;\nworker_rlimit_nofile %d;\ndaemon off;\npid %s;\nerror_log stderr error;\n",
		loadModule(), s.fileLimit, filepath.Join(s.dir, "nginx.pid"))
	fmt.Fprintf(&b, "events { worker_connections %d; }\nstream {\n proxy_half_close on;\n", s.fileLimit/2)
	for p := range uint16(portsUsed) {
		to := fmt.Sprintf("%s:%d", serverAddress, s.dest()+p)
		fmt.Fprintf(&b, " server { listen %d reuseport backlog=4096; proxy_pass %s; proxy_timeout 5m; }\n", s.listen()+p, to)
		fmt.Fprintf(&b, " server { listen %d udp reuseport; proxy_pass %s; proxy_timeout %ds; proxy_buffer_size 64k; }\n", s.listen()+p, to, udpTimeoutSeconds)
	}
	b.WriteString("}\n")
	return recipe{
		Peer: Peer{Name: "nginx", Kind: "nginx", Way: Redirect,
			Note: "stream module, 2 workers; knows no original destination: each port has a fixed one"},
		program: "nginx", args: []string{"-c", filepath.Join(s.dir, "nginx.conf")},
		files:   map[string]string{"nginx.conf": b.String()},
		version: []string{"-v"}, udp: true, perPort: true,
		conns: int(s.fileLimit) / 4, // a worker's connections count both sides
	}
}

// loadModule is nginx' directive for the stream module, where that is a file.
func loadModule() string {
	if found, _ := filepath.Glob(nginxModule); len(found) == 0 {
		return ""
	}
	return "load_module " + nginxModule + ";\n"
}

// redsocks hands every connection to a SOCKS server, which runs beside the servers.
func redsocks(s seat) recipe {
	const text = `base {
 log_debug = off;
 log_info = off;
 log = stderr;
 daemon = off;
 redirector = iptables;
 rlimit_nofile = %d;
}
redsocks {
 local_ip = 0.0.0.0;
 local_port = %d;
 ip = %s;
 port = %d;
 type = socks5;
 listenq = 4096;
}
`
	return recipe{
		Peer: Peer{Name: redsocksKind, Kind: redsocksKind, Way: Redirect,
			Note: "TCP only; through a SOCKS5 server beside the servers, whose cost counts only in the machine's CPU"},
		program: redsocksKind, args: []string{"-c", filepath.Join(s.dir, "redsocks.conf")},
		files:   map[string]string{"redsocks.conf": fmt.Sprintf(text, s.fileLimit, s.listen(), serverAddress, socksListen)},
		version: []string{"-v"}, conns: int(s.fileLimit) / 8, // and a pipe each way
		socks: true,
	}
}

// hev hands everything to a SOCKS server, as redsocks does, UDP too.
func hev(s seat) recipe {
	const text = `socks5:
  address: %s
  port: %d
  udp: udp
tcp:
  address: '0.0.0.0'
  port: %[3]d
udp:
  address: '0.0.0.0'
  port: %[3]d
misc:
  log-level: error
  udp-read-write-timeout: %[4]d
  limit-nofile: %[5]d
`
	return recipe{
		Peer: Peer{Name: hevKind, Kind: hevKind, Way: TProxy,
			Note: "through a SOCKS5 server beside the servers, whose cost counts only in the machine's CPU"},
		program: hevKind, args: []string{filepath.Join(s.dir, "hev.yml")},
		files: map[string]string{"hev.yml": fmt.Sprintf(text, serverAddress, socksListen, s.listen(), udpTimeout.Milliseconds(), s.fileLimit)},
		udp:   true, socks: true,
	}
}

// object is a piece of a JSON configuration.
type object = map[string]any

func singBox(s seat) recipe {
	return recipe{
		Peer:    Peer{Name: SingBox, Kind: SingBox, Way: TProxy, Note: "tproxy inbound, direct outbound"},
		program: SingBox, args: []string{"run", "-c", filepath.Join(s.dir, "sing-box.json")},
		files: map[string]string{"sing-box.json": toJSON(singBoxConfig(s, object{"type": "direct", "tag": "out"}))}, udp: true,
	}
}

// singBoxConfig has one inbound and one outbound.
func singBoxConfig(s seat, out object) object {
	return object{
		"log": object{"level": "error"},
		"inbounds": []object{{"type": "tproxy", "tag": "in", "listen": "0.0.0.0", "listen_port": s.listen(),
			"udp_timeout": udpTimeout.String()}},
		"outbounds": []object{out},
	}
}

// xray has two inbounds on one port, TCP and UDP, since its idle timeout is one
// for both and belongs to the user level.
func xray(s seat) recipe {
	inbound := func(network string, level int) object {
		return object{"listen": "0.0.0.0", "port": s.listen(), "protocol": "dokodemo-door", "tag": network,
			"settings":       object{"network": network, "followRedirect": true, "userLevel": level},
			"streamSettings": object{"sockopt": object{"tproxy": "tproxy"}}}
	}
	config := object{
		"log":       object{"loglevel": "error"},
		"inbounds":  []object{inbound("tcp", 0), inbound("udp", 1)},
		"outbounds": []object{{"protocol": "freedom"}},
		"policy":    object{"levels": object{"0": object{"connIdle": 300}, "1": object{"connIdle": udpTimeoutSeconds}}},
	}
	return recipe{
		Peer:    Peer{Name: "xray", Kind: "xray", Way: TProxy, Note: "dokodemo-door inbound, freedom outbound"},
		program: "xray", args: []string{"run", "-c", filepath.Join(s.dir, "xray.json")},
		files: map[string]string{"xray.json": toJSON(config)}, udp: true,
	}
}

func toJSON(o object) string {
	b, _ := json.MarshalIndent(o, "", " ") // of strings, numbers and objects
	return string(b)
}
