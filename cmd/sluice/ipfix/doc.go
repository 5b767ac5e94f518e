// Package ipfix tells a collector of flows that have ended (RFC 7011), over UDP.
//
//	Exporter ──Put──► Encoder: templates, then records ──► a message in a datagram ──► collector
//
// A flow is one record, with what went either way: a biflow (RFC 5103), whose source
// is the client. Packets are of UDP alone, and are datagrams; of TCP sluice sees
// bytes. Bytes are of payloads.
//
//	message: header, [set of templates,] set of records of one template, another set, …
//
// Glossary:
//
//   - information element: one field, by its number at IANA; its reverse is what went
//     back, by the same number and an enterprise's.
//   - template: which elements the records of a set have. A collector over UDP hears
//     of it again and again, since it may have begun later.
//   - set: records of one template, or templates.
//   - domain: those records whose count is the sequence of a message: a process'.
package ipfix
