package admit

import (
	"sync"

	"sluice/redir/shape"
)

// clientShards is a power of two, more than reactors that open at once.
const clientShards = 64

// clientShard holds the clients of some sites (LeastPrefix): each client's
// network is where the client is, however long a prefix that is.
type clientShard struct {
	mu      sync.Mutex
	all     *Clients
	clients map[key]*Client
	shapers map[shaperKey]*shape.Shaper // nil: there was none yet
	left    bool                        // some shapers may be of clients that are gone
	paced   bool                        // some clients may be there for their pace alone
	spare   []*Client                   // of those that are gone
	_       [64]byte                    // a cache line of its own
}

// mostSpares bounds what a shard keeps for later, to 5 KiB.
const mostSpares = 64

// client returns the client of a key, which is new where it holds nothing. Its
// network is one of so many bits.
func (s *clientShard) client(k key, bits int) *Client {
	r := s.clients[k]
	if r == nil {
		r = s.add(k)
		s.join(r, bits)
	}
	return r
}

func (s *clientShard) add(k key) *Client {
	var r *Client
	if n := len(s.spare); n > 0 {
		r, s.spare = s.spare[n-1], s.spare[:n-1]
	} else {
		r = &Client{shard: s}
	}
	r.key, r.within, r.held, r.members, r.next = k, nil, [kinds]int32{}, 0, 0
	r.rations.Store(nil)
	s.clients[k] = r
	return r
}

// join puts a client, with what it holds, into its network of so many bits.
func (s *clientShard) join(r *Client, bits int) {
	from := r.within
	r.within = nil
	if bits > 0 && bits < 128 && !r.key.isIPv4() {
		k := r.key.network(bits)
		network := s.clients[k]
		if network == nil {
			network = s.add(k)
		}
		network.members++
		for what, n := range r.held {
			network.held[what] += n
		}
		r.within = network
	}
	if from != nil {
		s.leave(r, from)
	}
}

// rejoin puts all clients into networks of so many bits.
func (s *clientShard) rejoin(bits int) {
	for k, r := range s.clients {
		if k.bits == 128 {
			s.join(r, bits)
		}
	}
}

// leave takes what r holds out of a network.
func (s *clientShard) leave(r, network *Client) {
	network.members--
	for what, n := range r.held {
		network.held[what] -= n
	}
	s.dropIdle(network)
}

// dropIdle forgets a client that holds nothing, and its network if that was its
// last one, unless they are remembered for their rate.
func (s *clientShard) dropIdle(r *Client) {
	if r.isIdle() && r.next == 0 {
		s.drop(r)
	}
}

func (s *clientShard) drop(r *Client) {
	delete(s.clients, r.key)
	if network := r.within; network != nil {
		s.leave(r, network)
		r.within = nil
	}
	s.left = len(s.shapers) > 0
	if len(s.spare) < mostSpares {
		s.spare = append(s.spare, r)
	}
}

// sweep forgets the rates that are used up no more at now.
func (s *clientShard) sweep(now int64) {
	s.paced = false
	for _, r := range s.clients {
		if r.next > now {
			s.paced = true
			continue
		}
		r.next = 0
		s.dropIdle(r)
	}
}
