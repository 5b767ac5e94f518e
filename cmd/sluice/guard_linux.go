package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"sluice/cmd/sluice/keep"
	"sluice/redir/rules"
)

// guard is the keeper of the rules as sluice run sees it: another process of
// the same program (package keep).
type guard struct {
	conn    *keep.Conn
	process *os.Process
	replies chan keep.Reply
	gone    chan struct{} // closed when the keeper has ended
	leaving chan struct{} // closed when nobody asks any more
	once    sync.Once     // guards leaving

	asking sync.Mutex
	holds  bool // rules of ours are in place; guarded by asking
	looks  looks
}

// keeperPatience is how long the keeper may take for what it is asked to do: rules
// with a million networks take a quarter of it.
const keeperPatience = time.Minute

var errKeeperGone = errors.New("the keeper of the rules has ended")

// newGuard starts the keeper, which begins beside what else a start has to do.
func newGuard() (*guard, error) {
	conn, theirs, err := keep.Pair()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	process, err := os.StartProcess("/proc/self/exe", append([]string{keeperName}, os.Args[1:]...), &os.ProcAttr{
		Files: []*os.File{nil, nil, os.Stderr, theirs}, // the last is its keeperSocket
		Env:   os.Environ(),
	})
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("start the keeper of the rules: %w", err)
	}
	g := &guard{conn: conn, process: process, replies: make(chan keep.Reply), gone: make(chan struct{}), leaving: make(chan struct{})}
	go g.listen()
	return g, nil
}

// listen hands on what the keeper says, until it ends.
func (g *guard) listen() {
	defer close(g.gone)
	defer g.process.Wait()
	for {
		reply, err := g.conn.Reply()
		if err != nil {
			g.conn.Close()
			return
		}
		select {
		case g.replies <- reply:
		case <-g.leaving:
		}
	}
}

// ready waits until the keeper is there, and returns how it is confined.
func (g *guard) ready() ([]string, error) {
	reply, err := g.reply()
	return reply.Holds, err
}

func (g *guard) reply() (keep.Reply, error) {
	select {
	case r := <-g.replies:
		if r.Error != "" {
			return r, errors.New(r.Error)
		}
		return r, nil
	case <-g.gone:
		return keep.Reply{}, errKeeperGone
	case <-time.After(keeperPatience):
		return keep.Reply{}, fmt.Errorf("the keeper of the rules has not answered within %v", keeperPatience)
	}
}

func (g *guard) ask(r keep.Request) error {
	g.asking.Lock()
	defer g.asking.Unlock()
	if err := g.conn.Send(r); err != nil {
		return errKeeperGone
	}
	_, err := g.reply()
	if err == nil && r.Do != keep.Open {
		g.holds = r.Do == keep.Divert && r.Sum != ""
	}
	if err == nil {
		g.looks.changed(g.holds)
	}
	return err
}

// redivert brings the rules in line with next. When it fails, they are as
// before.
func (g *guard) redivert(next *runCmd) error {
	_, sum, err := next.rulesAndSum()
	if err != nil {
		return err
	}
	next.decision, next.decided = nil, false // the keeper has its own, of a million networks maybe
	return g.ask(keep.Request{Do: keep.Divert, Sum: sum})
}

// open lets new connections pass, if the rules fail open, while those that run
// drain.
func (g *guard) open() error { return g.ask(keep.Request{Do: keep.Open}) }

// tell tells what has arrived. It is no loss if the keeper has other things to
// do.
func (g *guard) tell(conns, datagrams uint64) {
	if g.asking.TryLock() {
		defer g.asking.Unlock()
		if g.holds {
			_ = g.conn.Send(keep.Request{Do: keep.Arrivals, Conns: conns, Datagrams: datagrams})
		}
	}
}

// remove takes the rules away, if there are any, and ends the keeper.
func (g *guard) remove() (err error) {
	if g.hasRules() {
		err = g.ask(keep.Request{Do: keep.Remove})
	}
	g.end()
	return err
}

// leave lets go of the rules, if there are any, which stay in force for another
// process.
func (g *guard) leave() error {
	if !g.hasRules() {
		return nil
	}
	return g.ask(keep.Request{Do: keep.Leave})
}

// hasRules tells whether rules of ours are in place.
func (g *guard) hasRules() bool {
	g.asking.Lock()
	defer g.asking.Unlock()
	return g.holds
}

// hangUp leaves the keeper to itself: it holds rules that fail closed, and else ends.
func (g *guard) hangUp() {
	g.once.Do(func() { close(g.leaving) })
	g.conn.Close()
}

// end ends the keeper, which holds no rules any more.
func (g *guard) end() {
	g.hangUp()
	select {
	case <-g.gone:
	case <-time.After(keeperPatience):
	}
}

// rulesAndSum are the rules that the configuration asks for, and their digest,
// which is empty where it asks for none.
func (cmd *runCmd) rulesAndSum() (rules.Spec, string, error) {
	if !cmd.InstallRules {
		return rules.Spec{}, "", nil
	}
	spec, err := cmd.spec()
	if err != nil {
		return rules.Spec{}, "", err
	}
	text, err := json.Marshal(spec)
	if err != nil {
		return rules.Spec{}, "", err
	}
	sum := sha256.Sum256(text)
	return spec, hex.EncodeToString(sum[:]), nil
}
