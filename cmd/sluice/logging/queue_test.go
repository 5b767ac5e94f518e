package logging

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestQueueSendsInOrder(t *testing.T) {
	var counted tally
	var sent []string
	q := newQueue(&counted, func(line []byte) error { sent = append(sent, string(line)); return nil })
	go q.run()
	line := make([]byte, 1) // the library takes it back
	var want strings.Builder
	for i := range 100 {
		line[0] = byte('0' + i%10)
		q.Write(line)
		want.Write(line)
	}
	q.close(time.Minute)
	q.close(time.Minute)
	if got := strings.Join(sent, ""); got != want.String() || counted.lost.Load() != 0 || counted.written.Load() != 100 {
		t.Errorf("sent %q, want %q; %d lost", got, &want, counted.lost.Load())
	}
}

// TestQueueWaitsForNobody: whoever logs goes on, and what is left out is counted.
func TestQueueWaitsForNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var counted tally
		hangs := make(chan struct{})
		q := newQueue(&counted, func([]byte) error { <-hangs; return errors.New("gone") })
		go q.run()
		synctest.Wait()
		const more = 10
		for i := range queueLines + 1 + more { // one is on its way
			fmt.Fprintf(q, "line %d", i)
			synctest.Wait()
		}
		if n := counted.lost.Load(); n != more {
			t.Errorf("%d lines lost, want %d", n, more)
		}
		begun := time.Now()
		q.close(time.Second)
		if took := time.Since(begun); took != time.Second {
			t.Errorf("the end took %v", took)
		}
		close(hangs)
		<-q.done
		if n := counted.lost.Load(); n != queueLines+1+more {
			t.Errorf("%d lines lost of those that could not be sent", n)
		}
	})
}
