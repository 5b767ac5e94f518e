package client

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sluice/cmd/sluice/api"
)

func TestEvents(t *testing.T) {
	long := strings.Repeat("x", 200<<10)
	in := newEvents(strings.NewReader(": alive\n\nevent: sample\ndata: 1\n\n\nevent: lost\n\ndata:a\r\ndata: b\r\nid: 7\r\n\r\n" +
		"event: sample\ndata: " + long + "\n\ndata: cut"))
	for _, want := range [][2]string{{"", ""}, {"sample", "1"}, {"message", "a\nb"}, {"sample", long}} {
		name, data, err := in.next()
		if err != nil || name != want[0] || string(data) != want[1] {
			t.Fatalf("%q %.20q %v, want %q", name, data, err, want)
		}
	}
	if _, _, err := in.next(); err != io.EOF {
		t.Error(err)
	}
	endless := newEvents(io.MultiReader(strings.NewReader("data: "), &forever{}))
	if _, _, err := endless.next(); err != errLongEvent {
		t.Error(err)
	}
}

type forever struct{}

func (*forever) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = 'x'
	}
	return len(b), nil
}

func FuzzEvents(f *testing.F) {
	f.Add([]byte("event: sample\ndata: {}\n\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		in := newEvents(bytes.NewReader(text))
		for range len(text) + 1 {
			if _, _, err := in.next(); err != nil {
				return
			}
		}
		t.Errorf("%q: no end", text)
	})
}

// TestFollowTriesAgain: a stream that ends is told, and another asked for.
func TestFollowTriesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		c := overPipes(t, func(r *http.Request, w io.WriteCloser) {
			asked++
			if want := "/v1/events?flows=7"; r.URL.RequestURI() != want {
				t.Errorf("%s, want %s", r.URL.RequestURI(), want)
			}
			fmt.Fprintf(w, "event: news\ndata: {\n\nevent: sample\ndata: {\"connections\": %d}\n\n", asked)
			w.Close()
		})
		var got []string
		for sample, err := range c.Follow(t.Context(), &api.Query{}, 7) {
			if err != nil {
				got = append(got, "lost")
			} else {
				got = append(got, fmt.Sprint(sample.Connections))
			}
			if len(got) == 4 {
				break
			}
		}
		if strings.Join(got, " ") != "1 lost 2 lost" {
			t.Error(got)
		}
	})
}

// TestSamplesTellSilence: a sluice that hangs is told as one that is gone.
func TestSamplesTellSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := overPipes(t, func(r *http.Request, w io.WriteCloser) {
			fmt.Fprint(w, "event: sample\ndata: {}\n\n")
		})
		began := time.Now()
		var last error
		for _, err := range c.Samples(t.Context(), &api.Query{}, 0) {
			last = err
		}
		if last == nil || !strings.Contains(last.Error(), "no sluice answers") || time.Since(began) != silence {
			t.Errorf("%v after %v", last, time.Since(began))
		}
	})
}

func TestFollowEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := overPipes(t, func(r *http.Request, w io.WriteCloser) {})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		for _, err := range c.Follow(ctx, &api.Query{}, 0) {
			t.Errorf("it yields %v", err)
		}
	})
}

// overPipes is a client whose answers' bodies are written by serve, without sockets.
func overPipes(t *testing.T, serve func(*http.Request, io.WriteCloser)) *Client {
	t.Helper()
	c, err := New("/nowhere", "")
	if err != nil {
		t.Fatal(err)
	}
	c.http.Transport = pipes(serve)
	return c
}

type pipes func(*http.Request, io.WriteCloser)

func (p pipes) RoundTrip(r *http.Request) (*http.Response, error) {
	in, out := io.Pipe()
	context.AfterFunc(r.Context(), func() { out.CloseWithError(r.Context().Err()) })
	go p(r, out)
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: in, Request: r}, nil
}
