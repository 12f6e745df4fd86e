package openid

import "time"

// How long keys are used.
const (
	KeyLife        = 90 * 24 * time.Hour // signs
	PublishedAhead = 24 * time.Hour      // published before that: apps fetch keys once a day
	KeptAfterwards = 24 * time.Hour      // published after that: longer than what it has signed is worth anything
)

// NextKey says from when on a new key of an algorithm signs, if it is to be made now. The
// argument is from when on the newest signs, or the zero time when there is none: then
// nobody can know an older one, and the new key signs at once.
func NextKey(newest, now time.Time) (usedFrom time.Time, due bool) {
	if newest.IsZero() {
		return now, true
	}
	end := newest.Add(KeyLife)
	if now.Before(end.Add(-PublishedAhead)) {
		return time.Time{}, false
	}
	return now.Add(PublishedAhead), true
}
