package lab

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
)

// Lab is three namespaces that exist. Its methods may be called by several
// goroutines; Close once nothing else uses it.
type Lab struct {
	Name                    string
	Client, Gateway, Server *Namespace

	mu     sync.Mutex // guards what follows
	routed bool       // policy routing for mark 1 is in place
	chains bool       // the DIVERT chains are in place
	closed bool
	behind []*Namespace // see Behind
}

// labs numbers the labs of this process that were not given a name.
var labs atomic.Uint32

// namePrefix begins the names that New makes up.
const namePrefix = "sluicelab-"

// Bounds of the MTU in bytes: what IPv6 needs (RFC 8200, 5), and the most that
// an IPv4 packet can be.
const (
	leastMTU = 1280
	mostMTU  = 65535
)

// New makes a lab. It needs root, or a user namespace of one's own (Enter). On
// an error nothing is left behind.
func New(o Options) (*Lab, error) {
	if o.Name == "" {
		removeOrphans()
		o.Name = fmt.Sprintf("%s%d-%d", namePrefix, os.Getpid(), labs.Add(1))
	}
	if o.MTU == 0 {
		o.MTU = 1500
	}
	if o.MTU < leastMTU || o.MTU > mostMTU {
		return nil, fmt.Errorf("lab: MTU %d: want %d to %d", o.MTU, leastMTU, mostMTU)
	}
	if o.Congestion != "" {
		if err := CheckCongestion(o.Congestion); err != nil {
			return nil, fmt.Errorf("lab: %w", err)
		}
	}
	l := &Lab{Name: o.Name}
	for _, part := range l.parts() {
		ns, err := createNamespace(o.Name + "-" + part.role)
		if errors.Is(err, os.ErrExist) {
			err = fmt.Errorf("%w, or a whole lab with: sluice-bench lab down --name %s", err, o.Name)
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("lab %s: %w", o.Name, err), l.Close())
		}
		*part.ns = ns
	}
	if err := l.wire(o); err != nil {
		return nil, errors.Join(fmt.Errorf("lab %s: %w", o.Name, err), l.Close())
	}
	return l, nil
}

// Open finds a lab that New made earlier, in this process or in another.
func Open(name string) (*Lab, error) {
	l := &Lab{Name: name}
	for _, part := range l.parts() {
		ns, err := openNamespace(name + "-" + part.role)
		if err != nil {
			l.release()
			return nil, fmt.Errorf("no lab is named %q here: %w; 'sluice-bench lab show' names those that there are, 'sluice-bench lab up --name %s' makes it", name, err, name)
		}
		*part.ns = ns
	}
	return l, nil
}

// Close ends every process inside the lab and removes the namespaces. A second
// call does nothing.
func (l *Lab) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	var errs []error
	for _, ns := range l.behind {
		errs = append(errs, ns.endProcesses(), ns.remove())
	}
	for _, part := range l.parts() {
		if ns := *part.ns; ns != nil {
			errs = append(errs, ns.endProcesses(), ns.remove())
		}
	}
	return errors.Join(errs...)
}

// release forgets the lab and leaves it standing.
func (l *Lab) release() {
	for _, part := range l.parts() {
		if *part.ns != nil {
			(*part.ns).handle.Close()
		}
	}
}

type part struct {
	role string
	ns   **Namespace
}

func (l *Lab) parts() []part {
	return []part{{"client", &l.Client}, {"gateway", &l.Gateway}, {"server", &l.Server}}
}

// Names lists the labs that exist on this machine, by their client namespace.
func Names() ([]string, error) {
	entries, err := os.ReadDir(netnsDir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), "-client"); ok {
			names = append(names, name)
		}
	}
	return names, nil
}
