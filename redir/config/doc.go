// Package config reads and prints sluice's configuration file: JSON, the
// inbounds and outbounds in the form that sing-box documents, and beside them one
// key for each further setting.
//
//	{
//	  "inbounds": [
//	    {"type": "tproxy", "tag": "tproxy-in", "listen": "::", "listen_port": 12345,
//	     "network": ["tcp", "udp"], "udp_timeout": "5m"}
//	  ],
//	  "outbounds": [
//	    {"type": "socks", "tag": "proxy", "server": "192.0.2.7", "server_port": 1080,
//	     "username": "joe", "password": "env:PROXY_PASSWORD"}
//	  ],
//	  "mark": 2,
//	  "udp_sessions": 65536,
//	  "rules": {"iface": ["lan0"]}
//	}
//
//	     bytes ──► tree of nodes, each with its place ──► File ──► what starts sluice
//	                                   ▲                                  │
//	                  Keys: which settings there are                      ▼
//	     bytes ◄── Print ◄──────────────────────────────────────────── Config
//
// A file may also be one inbound alone, and several files are read as one. It is JSON,
// in which comments and commas after a last element are fine. What is not right are
// Errors that say where, all that are found in one reading: what follows from one that
// was told is not told. Unknown keys and keys that come twice are not right. What an outbound has under another name in sing-box is
// taken under both; what sluice does not have, by that name, is refused. A password
// is never printed, and what is printed instead is not taken.
//
// An error about an unknown key or choice says what was meant most likely, by its
// spelling (udpTimeout), by its place (iface, which belongs in "rules"), by what other
// programs call it (maxconn), and only then by its letters.
//
// Which settings exist is not known here: the program hands in a Key for each,
// made from its flags, so that a flag, its environment variable and its key in
// the file cannot drift apart.
//
// Glossary:
//
//   - node: one JSON value and its place. place: an offset in the file's
//     bytes; line and column (both from 1, columns in characters) come from it.
//   - key: a setting that a file may hold. path: where it stands, as errors
//     name it: inbounds[0].listen_port, rules.iface.
//   - text: a setting's value as it would be given to the flag.
package config
