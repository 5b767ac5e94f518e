package control

import (
	"context"
	"errors"
	"log"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/net/netutil"

	"sluice/cmd/sluice/api"
	"sluice/redir/record"
)

// Bounds of what whoever connects may take.
const (
	// MostConns are connections at once. Those beyond wait in the socket's queue.
	MostConns = 32
	// mostStreams are those of them that stay, so that there is always one for a
	// question.
	mostStreams = 24
	mostHeader  = 16 << 10 // bytes
	mostBody    = 16 << 10 // bytes
	// headerTime is how long a request's head may take, and readTime all of it.
	headerTime = 5 * time.Second
	readTime   = 10 * time.Second
	// answerTime is how long an answer may take, and reloadTime that to a reload: the
	// keeper of the rules has a minute (keeperPatience), twice where it is undone.
	answerTime = 30 * time.Second
	reloadTime = 150 * time.Second
	linesTime  = 2 * time.Minute // to who asks for all flows
	idleTime   = time.Minute     // between two requests
	// endTime is how long answers that are under way may take at the end.
	endTime = time.Second
)

// Config is what a Server tells of, and acts on. Its methods are called from any
// goroutine.
type Config struct {
	Token   Token // empty: none is asked for
	Steer   Steer
	Flows   Flows
	NoFlow  error // redir.ErrNoFlow
	Watch   Watch
	Health  func(ready bool) api.Health // ready: whether more could be carried
	Metrics http.Handler
	Page    http.Handler // at / and /page/, without the token
	Log     zerolog.Logger
}

// Steer is the process.
type Steer interface {
	Status(context.Context) api.Status
	Counters() api.Counters
	Config() []byte // JSON
	LogLevel() string
	// SetLogLevel holds until the configuration is reread.
	SetLogLevel(level string) error
	// Reload rereads the configuration, behind a reload that is under way, and returns
	// what has changed. An *api.Problem among its errors says why it was not even tried.
	Reload() (changes []string, err error)
	// Drain begins the end, as SIGTERM does. It may be called again.
	Drain() api.Draining
}

// Flows are those that run. Times are ns of Reactor.Now.
type Flows interface {
	// Flows calls visit with records, some at a time, until it returns false.
	Flows(ctx context.Context, detail record.Detail, visit func([]record.Record) bool) error
	// Flow is the record of one, or an error that Is NoFlow of the Config.
	Flow(context.Context, record.ID) (record.Record, error)
	// Kill ends flows, and returns how many there were.
	Kill(context.Context, []record.ID) (int, error)
	Now() int64
	Wall(ns int64) time.Time
}

// Watch knows rates.
type Watch interface {
	// Subscribe returns a sample a second until the function is called.
	Subscribe(api.Query) (<-chan api.Sample, func(), error)
	// History are samples of networks before now, as far as somebody watched.
	History() []api.Sample
	// Rates are flows with their rates, for which it waits.
	Rates(context.Context, api.Query) (api.FlowPage, error)
	// Top are the busiest clients and destinations, for which it waits.
	Top(ctx context.Context, limit int) (api.Top, error)
}

// Server answers at listeners. Its methods may be called from any goroutine.
type Server struct {
	config  Config
	http    http.Server
	serves  atomic.Bool // Ready was called
	streams chan struct{}
	scans   chan struct{}
	dumps   chan struct{}   // scans whose reader may be slow
	ending  context.Context // of streams
	end     context.CancelFunc
	serving sync.WaitGroup
	conns   atomic.Int64 // that are open

	mu        sync.Mutex
	listeners []net.Listener
}

// New returns a server that answers nobody yet.
func New(c Config) *Server {
	s := &Server{config: c, streams: make(chan struct{}, mostStreams), scans: make(chan struct{}, 1), dumps: make(chan struct{}, 1)}
	s.ending, s.end = context.WithCancel(context.Background())
	s.http = http.Server{
		Handler:           s.guarded(s.routes()),
		ReadHeaderTimeout: headerTime, ReadTimeout: readTime, IdleTimeout: idleTime,
		MaxHeaderBytes: mostHeader, ConnState: s.follow,
		ErrorLog: log.New(logWriter{c.Log}, "", 0),
	}
	return s
}

// logWriter takes lines of net/http: of handlers that panic, and of accepting that
// fails.
type logWriter struct{ log zerolog.Logger }

func (w logWriter) Write(line []byte) (int, error) {
	w.log.Warn().Str("http", string(line)).Msg("control socket")
	return len(line), nil
}

// Serve answers at a listener, which it closes, until Close. Before Ready, it says
// that sluice starts.
func (s *Server) Serve(l net.Listener) {
	s.mu.Lock()
	s.listeners = append(s.listeners, l)
	s.mu.Unlock()
	s.serving.Go(func() {
		err := s.http.Serve(netutil.LimitListener(l, MostConns))
		if !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
			s.config.Log.Error().Err(err).Msg("nobody is answered at the control socket any more; sluice goes on")
		}
	})
}

// Ready says that sluice serves.
func (s *Server) Ready() { s.serves.Store(true) }

// Close ends streams at once and gives other answers a moment. It may be called again.
func (s *Server) Close() {
	s.end()
	ctx, cancel := context.WithTimeout(context.Background(), endTime)
	defer cancel()
	s.http.SetKeepAlivesEnabled(false)
	s.mu.Lock()
	for _, l := range s.listeners {
		_ = l.Close()
	}
	s.mu.Unlock()
	s.serving.Wait()
	s.answered(ctx)
	s.http.Close()
}

// answered waits until nobody is connected, or ctx is done. It is what Shutdown does,
// but that drops, without an answer, who was accepted just before and asks now
// (conn.serve in net/http).
func (s *Server) answered(ctx context.Context) {
	const look = 2 * time.Millisecond
	for s.conns.Load() > 0 {
		select {
		case <-ctx.Done():
			return
		case <-time.After(look):
		}
	}
}

// follow counts connections.
func (s *Server) follow(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		s.conns.Add(1)
	case http.StateClosed, http.StateHijacked:
		s.conns.Add(-1)
	}
}
