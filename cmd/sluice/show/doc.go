// Package show is how commands write numbers and tables: by one way everywhere, in
// few columns.
//
//	12345678 bytes          ──► Bytes ──► 12.3 MB
//	12345678 bytes a second ──► Rate ───► 98.8 Mbit/s   (Bits: 98.8M, where a heading has the unit)
//	from outside            ──► Text ───► what a terminal may be shown, a column a byte
//	cells                   ──► Table ──► lines that fit a width
//
// Units are those of SI: a kB is 1000 bytes. Rates are told in bits, as lines are
// sold, and volumes in bytes.
package show
