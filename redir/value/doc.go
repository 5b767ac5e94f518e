// Package value reads what people write for a setting, the same way wherever it
// stands: on the command line, in the environment, in the file.
//
//	time     5, 0.5 (seconds); 300ms, 5s, 1m30s, 2h, 1d, 1w, 1d12h
//	number   255, 0xff, 0b11111111, 0o377, 65_536; not 0377, which some take for 255
//	switch   on, true, yes, 1; off, false, no, 0
//	choice   one of some words, in capitals or not; where on or off is among them, as
//	         a switch is written too
//
// Sizes are those of package size. Space around a value is nothing.
//
// An error names the value and what is wanted. Where the value stood is for the
// caller to say.
package value
