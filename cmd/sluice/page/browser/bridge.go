package browser

import (
	"io"
	"net"
	"sync"
	"testing"
)

// Bridge carries connections from a port of 127.0.0.1 to a unix socket until the test
// ends, and returns the URL of that port.
func Bridge(tb testing.TB, socket string) string {
	tb.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	var (
		carried sync.WaitGroup
		mu      sync.Mutex
		open    = map[net.Conn]bool{}
		ended   bool
	)
	keep := func(conn net.Conn) bool {
		mu.Lock()
		defer mu.Unlock()
		open[conn] = true
		return !ended
	}
	carried.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			carried.Go(func() { carry(client, socket, keep) })
		}
	})
	tb.Cleanup(func() {
		_ = listener.Close()
		mu.Lock()
		ended = true
		for conn := range open {
			_ = conn.Close()
		}
		mu.Unlock()
		carried.Wait()
	})
	return "http://" + listener.Addr().String()
}

// carry copies both ways until one side has ended.
func carry(client net.Conn, socket string, keep func(net.Conn) bool) {
	defer func() { _ = client.Close() }()
	server, err := net.Dial("unix", socket)
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	if !keep(client) || !keep(server) {
		return
	}
	ended := make(chan struct{}, 2)
	pass := func(to, from net.Conn) {
		_, _ = io.Copy(to, from)
		ended <- struct{}{}
	}
	go pass(server, client)
	go pass(client, server)
	<-ended
	_ = client.Close()
	_ = server.Close()
	<-ended
}
