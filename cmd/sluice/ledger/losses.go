package ledger

import (
	"time"

	"github.com/rs/zerolog"
)

// episodePeriod is how long nothing may be lost before an episode is over.
const episodePeriod = 10 * time.Second

// Losses tells of what a book loses: when it begins, and how much it was once it has
// ended. One goroutine owns it.
type Losses struct {
	known  uint64 // lost so far
	before uint64 // the episode
	last   time.Time
}

// Tell looks at a time, and logs what there is to say of a counter of that name.
func (l *Losses) Tell(now time.Time, name string, lost uint64, why error, log zerolog.Logger) {
	switch isEpisode := l.known > l.before; {
	case lost > l.known:
		l.known, l.last = lost, now
		if isEpisode {
			return
		}
		if why == nil {
			log.Warn().Uint64(name, lost).Msg("records of ended flows are lost: what they are written to is too slow")
		} else {
			log.Warn().Uint64(name, lost).Err(why).Msg("records of ended flows are lost: they cannot be written")
		}
	case isEpisode && now.Sub(l.last) >= episodePeriod:
		log.Info().Uint64(name, lost).Uint64("lately", l.known-l.before).Msg("records of ended flows are written again")
		l.before = l.known
	}
}
