package limit

import "time"

// SetNow sets the time by which Redis is tried again.
func (s *Shared) SetNow(now func() time.Time) { s.now = now }

// SetPatience sets how long a call waits for Redis.
func (s *Shared) SetPatience(d time.Duration) { s.patience = d }

// Cooldown is how long Redis is left alone after it failed.
const Cooldown = cooldown
