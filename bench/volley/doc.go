// Package volley sends frames of one flow over UDP many at a time: all the frames
// of a volley have one size and one stamp, and successive seqs.
//
//	slots:   |frame 7|frame 8|frame 9|frame 10|frame 11|   contiguous
//	             run of 3 datagrams  |  run of 2           one sendmmsg
package volley
