// Command sluice-bench tries and loads transparent proxies: a lab of network
// namespaces, a demonstration, a server, and load generators that verify what
// comes back.
//
//	sluice-bench lab up|down|exec|show   namespaces client, gateway, server
//	sluice-bench demo                    TCP and UDP through sluice, a table of what happened
//	sluice-bench serve                   what loads are sent to
//	sluice-bench load TEST               one load, measured and verified
//	sluice-bench flood KIND              packets from sources that are not its own
//	sluice-bench socks                   a SOCKS5 server that costs little
//	sluice-bench compare                 sluice beside other proxies, in interleaved rounds
//	sluice-bench report [FILE]           a comparison drawn again from its JSON, beside it
//	sluice-bench torture                 sluice under attack, faults and load: a card of figures
//	sluice-bench version                 the version, and what it was built with
//
// Exit status: 0 when all is well, 1 when something is wrong (a failed
// expectation, a corrupt payload, a figure that misses its target), 2 for a bad
// command line and for a figure that could not be measured. `lab exec` exits as the
// program that it runs.
package main
