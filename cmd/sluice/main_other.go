//go:build !linux

package main

import (
	"fmt"
	"os"
	"runtime"
)

func main() {
	fmt.Fprintf(os.Stderr, "sluice: transparent proxying needs Linux (netfilter, IP_TRANSPARENT); this is %s\n", runtime.GOOS)
	os.Exit(1)
}
