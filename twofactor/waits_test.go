package twofactor_test

import (
	"errors"
	"testing"
	"time"

	"gatehouse/twofactor"
)

func TestCodeWaits(t *testing.T) {
	for n, want := range map[int]time.Duration{
		-1: 0, 0: 0, 1: 0, 4: 0,
		5: 30 * time.Second, 9: 30 * time.Second,
		10: time.Minute, 19: time.Minute,
		20: 5 * time.Minute, 39: 5 * time.Minute,
		40: 30 * time.Minute, 79: 30 * time.Minute,
		80: twofactor.Closed, 81: twofactor.Closed, 1 << 40: twofactor.Closed,
	} {
		if got := twofactor.CodeWaits(n); got != want {
			t.Errorf("after %d wrong codes: %v, want %v", n, got, want)
		}
	}
}

func TestWrongCodesStayWithinNISTsHundred(t *testing.T) {
	n := 0
	for twofactor.CodeWaits(n) != twofactor.Closed {
		n++
	}
	if n+twofactor.KnownBrowserCodes != 100 {
		t.Errorf("%d from unknown browsers and %d from a known one", n, twofactor.KnownBrowserCodes)
	}
}

func TestPasswordWaits(t *testing.T) {
	for n, want := range map[int]time.Duration{
		-1: 0, 0: 0, 9: 0,
		10: time.Second, 11: 2 * time.Second, 12: 4 * time.Second, 19: 512 * time.Second,
		20: 15 * time.Minute, 21: 15 * time.Minute, 64: 15 * time.Minute, 73: 15 * time.Minute, 74: 15 * time.Minute,
		1 << 40: 15 * time.Minute,
	} {
		if got := twofactor.PasswordWaits(n); got != want {
			t.Errorf("after %d wrong passwords: %v, want %v", n, got, want)
		}
	}
}

func TestWaitsNeverShrink(t *testing.T) {
	for name, ladder := range map[string]twofactor.Ladder{"codes": twofactor.CodeWaits,
		"passwords": twofactor.PasswordWaits} {
		for n := range 200 {
			if ladder(n+1) < ladder(n) {
				t.Errorf("%s: the wait shrinks after %d", name, n)
			}
		}
	}
}

func TestLadderCheck(t *testing.T) {
	for _, c := range []struct {
		name  string
		count twofactor.Count
		after time.Duration // since noon
		want  error
	}{
		{"nobody waits at first", twofactor.Count{}, 0, nil},
		{"four wrong codes are free", twofactor.Count{N: 4, LastAt: noon}, 0, nil},
		{"the fifth makes one wait", twofactor.Count{N: 5, LastAt: noon}, 0,
			twofactor.Wait{Until: noon.Add(30 * time.Second)}},
		{"to the last nanosecond", twofactor.Count{N: 5, LastAt: noon}, 30*time.Second - 1,
			twofactor.Wait{Until: noon.Add(30 * time.Second)}},
		{"and no longer", twofactor.Count{N: 5, LastAt: noon}, 30 * time.Second, nil},
		{"a count from the future waits one whole wait", twofactor.Count{
			N:      79,
			LastAt: noon.Add(9999 * time.Hour),
		}, 0, twofactor.Wait{Until: noon.Add(30 * time.Minute)}},
		{"a count without a wait is free even from the future", twofactor.Count{
			N:      4,
			LastAt: noon.Add(time.Hour),
		}, 0, nil},
		{"eighty close it", twofactor.Count{N: 80, LastAt: noon}, 0, twofactor.ErrClosed},
		{"for ever", twofactor.Count{N: 80, LastAt: noon}, 99999 * time.Hour, twofactor.ErrClosed},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := twofactor.Ladder(twofactor.CodeWaits).Check(c.count, noon.Add(c.after)); err != c.want {
				t.Errorf("%v, want %v", err, c.want)
			}
		})
	}
}

func TestCount(t *testing.T) {
	later := noon.Add(time.Hour)
	if got, want := (twofactor.Count{N: 3, LastAt: noon}).Increment(later), (twofactor.Count{N: 4,
		LastAt: later}); got != want {
		t.Errorf("another: %+v", got)
	}
	if got, want := (twofactor.Count{N: 3, LastAt: later}).Increment(noon), (twofactor.Count{N: 4,
		LastAt: later}); got != want {
		t.Errorf("another that came late: %+v", got)
	}
	if got, want := (twofactor.Count{
		N:      3,
		LastAt: noon.Add(30 * time.Second),
	}).Clamp(noon), (twofactor.Count{N: 3, LastAt: noon.Add(30 * time.Second)}); got != want {
		t.Errorf("settled by a request that came late: %+v", got)
	}
	if got, want := (twofactor.Count{N: 3, LastAt: later}).Clamp(noon), (twofactor.Count{N: 3,
		LastAt: noon}); got != want {
		t.Errorf("settled from the future: %+v", got)
	}
	if got, want := (twofactor.Count{N: 3, LastAt: noon}).Clamp(later), (twofactor.Count{N: 3,
		LastAt: noon}); got != want {
		t.Errorf("settled from the past: %+v", got)
	}
}

func TestClampedCountEndsItsWaitAfterTheClockWasSetBack(t *testing.T) {
	count := twofactor.Count{N: 79, LastAt: noon.Add(9999 * time.Hour)}.Clamp(noon)
	if err := twofactor.Ladder(twofactor.CodeWaits).Check(count, noon.Add(30*time.Minute)); err != nil {
		t.Error(err)
	}
}

// fillBucket makes attempts at one instant until the bucket refuses.
func fillBucket(b twofactor.Bucket, now time.Time) (twofactor.Bucket, int, error) {
	for n := 0; ; n++ {
		next, err := b.Add(now)
		if err != nil {
			return next, n, err
		}
		b = next
	}
}

func TestBucket(t *testing.T) {
	t.Run("twenty at once, then a wait of 15 seconds", func(t *testing.T) {
		_, n, err := fillBucket(twofactor.Bucket{}, noon)
		var wait twofactor.Wait
		if n != 20 || !errors.As(err, &wait) {
			t.Fatalf("%d attempts, then %v", n, err)
		}
		if off := wait.Until.Sub(noon.Add(15 * time.Second)); off < 0 || off > time.Microsecond {
			t.Errorf("%v beside 15 seconds", off)
		}
	})
	t.Run("sixty within ten minutes", func(t *testing.T) {
		var b twofactor.Bucket
		total := 0
		for now := noon; now.Before(noon.Add(10 * time.Minute)); now = now.Add(time.Second) {
			var n int
			b, n, _ = fillBucket(b, now)
			total += n
		}
		if total < 59 || total > 60 {
			t.Errorf("%d attempts", total)
		}
	})
	t.Run("a refusal adds nothing", func(t *testing.T) {
		b, _, _ := fillBucket(twofactor.Bucket{}, noon)
		for range 100 {
			b, _ = b.Add(noon)
		}
		if _, err := b.Add(noon.Add(16 * time.Second)); err != nil {
			t.Error(err)
		}
	})
	t.Run("a whole rest empties it", func(t *testing.T) {
		b, _, _ := fillBucket(twofactor.Bucket{}, noon)
		if _, n, _ := fillBucket(b, noon.Add(twofactor.AddressBucketTTL)); n != 20 {
			t.Errorf("%d attempts", n)
		}
		if _, n, _ := fillBucket(b, noon.Add(twofactor.AddressBucketTTL-time.Second)); n != 19 {
			t.Errorf("%d attempts a second earlier", n)
		}
	})
	t.Run("who comes when told is let in", func(t *testing.T) {
		for at := time.Duration(0); at < 15*time.Second; at += 37 * time.Millisecond {
			full, _, _ := fillBucket(twofactor.Bucket{}, noon)
			refused, err := full.Add(noon.Add(at))
			var wait twofactor.Wait
			if !errors.As(err, &wait) {
				t.Fatalf("after %v: %v", at, err)
			}
			for name, b := range map[string]twofactor.Bucket{"before": full, "after": refused} {
				if _, err := b.Add(wait.Until); err != nil {
					t.Fatalf("told after %v, with the bucket from %s the refusal: %v", at, name, err)
				}
			}
		}
	})
	t.Run("requests that come late do not empty it", func(t *testing.T) {
		b, _, _ := fillBucket(twofactor.Bucket{}, noon)
		for range 100 { // each slow request would otherwise hand the next its seconds once more
			for _, at := range []time.Duration{-14 * time.Second, 0} {
				next, err := b.Add(noon.Add(at))
				if err == nil {
					t.Fatal("let in")
				}
				b = next
			}
		}
	})
	t.Run("a clock set back costs one interval, when the bucket is kept", func(t *testing.T) {
		b, _, _ := fillBucket(twofactor.Bucket{}, noon.Add(9999*time.Hour))
		b, err := b.Add(noon)
		if err == nil {
			t.Error("the clock emptied the bucket")
		}
		if _, err := b.Add(noon.Add(16 * time.Second)); err != nil {
			t.Error(err)
		}
	})
}
