//go:build linux

package load

import (
	"context"
	"testing"
	"time"
)

// An interrupt ends every load at once.
func TestInterrupt(t *testing.T) {
	target := server(t)
	for _, s := range []Spec{
		{Test: TCPStream, Direction: Up}, {Test: TCPStream, Direction: Down}, {Test: TCPStream, Direction: Both},
		{Test: TCPRR}, {Test: TCPCRR}, {Test: TCPIdle, Flows: 4}, {Test: UDPRR}, {Test: UDPStream},
		{Test: UDPStream, Direction: Down}, {Test: UDPChurn}, {Test: UDPFlood},
	} {
		t.Run(string(s.Test)+" "+string(s.Direction), func(t *testing.T) {
			s.Target, s.Duration = target, 10*time.Second
			ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
			defer cancel()
			begin := time.Now()
			if _, err := Run(ctx, s, nil); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(begin); took > 3*time.Second {
				t.Errorf("ended after %v", took)
			}
		})
	}
}
