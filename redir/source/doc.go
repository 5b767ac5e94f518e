// Package source is whose address and port sluice's sockets towards
// destinations bear.
//
//	gateway         the gateway's own, as its routes choose it
//	client          the client's address and port: the server sees the client
//	client-address  the client's address, with any port
//	ADDR            an address of the gateway's, or one that is routed here
//
// Glossary:
//
//   - source: the local end of an upstream socket.
//   - foreign: of an address, that the machine does not have it; a socket needs
//     IP_TRANSPARENT to bear one (ip(7)), and what is sent there must be routed
//     here.
package source
