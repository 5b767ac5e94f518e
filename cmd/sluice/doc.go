// Command sluice is a transparent proxy for Linux gateways: it carries the
// TCP and UDP that netfilter diverts to it (REDIRECT, TPROXY) to where it was
// going.
package main
