//go:build !linux

package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "sluice-bench: network namespaces and transparent proxying need Linux")
	os.Exit(1)
}
