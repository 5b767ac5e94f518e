package route

import (
	"sync/atomic"
	"time"
)

// clock tells the minute of the week, in local time. Any thread may ask. What the
// calendar says is kept for the minute that it holds for: summer time and the like
// begin with one.
type clock struct {
	now   func() time.Time
	known atomic.Int64 // the minute since 1970, and in the lower bits that of the week
}

// weekBits are enough for a minute of the week.
const weekBits = 14

func (c *clock) minuteOfWeek() int {
	now := c.now()
	minute := now.Unix() / 60
	if known := c.known.Load(); known>>weekBits == minute {
		return int(known & (1<<weekBits - 1))
	}
	local := now.Local()
	hour, of, _ := local.Clock()
	m := int(local.Weekday())*minutesPerDay + hour*60 + of
	c.known.Store(minute<<weekBits | int64(m))
	return m
}
