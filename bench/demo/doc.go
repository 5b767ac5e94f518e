// Package demo sends TCP and UDP through sluice in a lab and reports, flow by
// flow, what each end saw.
//
//	client ---lan--- gateway: rules + sluice ---wan--- server (in this process)
//
//	way       destination port   protocols
//	REDIRECT  8081               TCP
//	TPROXY    8082               TCP, UDP
//	SOCKS5    8082               TCP: by TPROXY, and on through a SOCKS5 server that runs
//	                             in the server, to destinations of another network
//
// Every flow goes to an address that only routing leads to the server
// (lab.ServerNet4, lab.ServerNet6), so a reply bears the right source only if the
// original destination survived. A flow is right when every byte came back as it
// was sent, the reply's source is the address that the client asked for, and the
// server's peer is the gateway, or that SOCKS5 server: what came from the client's own
// address went around the proxy.
package demo
