// Package tell writes what a running sluice answers for people, as lines that fit a
// width: a terminal's, or 0 for as wide as they are.
//
//	api.Status ──► Status ──► lines: what it is, what goes through it, what is amiss
//	api.Flow   ──► Flows ───► a table of as many columns as have room
//
// Text from the network is shown by show.Text alone.
package tell
