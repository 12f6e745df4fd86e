package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

const (
	timeStep = 30 * time.Second // RFC 6238's time step, as in every authenticator app
	margin   = 10 * time.Second // what a slow machine may need between reading a code and posting it
)

// phone is a person's authenticator app: it holds one secret, and oathtool makes its codes.
//
// The program takes each time step once and only upwards, and looks one step to either side of now. So
// three codes can be used without waiting: the previous step's, the current one's, the next one's.
type phone struct {
	t      testing.TB
	secret string
	used   int64 // the highest time step handed out so far
}

// newPhone is an authenticator app with this secret in base32 (inner spaces are fine).
func newPhone(t testing.TB, secret string) *phone {
	t.Helper()
	return &phone{t: t, secret: strings.ReplaceAll(secret, " ", "")}
}

// scan reads the QR code in a picture (PNG) and returns its text.
func scan(t testing.TB, picture []byte) string {
	t.Helper()
	zbarimg := tool(t, "zbarimg", "zbar-tools")
	path := filepath.Join(t.TempDir(), "qr.png")
	if err := os.WriteFile(path, picture, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(zbarimg, "-q", "--raw", "-Sdisable", "-Sqrcode.enable", path).Output()
	if err != nil {
		t.Fatalf("zbarimg reads no QR code from the screen: %v", err)
	}
	return strings.TrimSuffix(string(out), "\n")
}

// nowStep is the current time step and how much of it is left.
func nowStep() (int64, time.Duration) {
	now := time.Now()
	step := now.Unix() / int64(timeStep/time.Second)
	return step, time.Unix((step+1)*int64(timeStep/time.Second), 0).Sub(now)
}

// codes asks oathtool for the codes of count time steps, beginning with first.
func (p *phone) codes(first int64, count int) []string {
	p.t.Helper()
	oathtool := tool(p.t, "oathtool", "oathtool")
	at := time.Unix(first*int64(timeStep/time.Second), 0).UTC().Format("2006-01-02 15:04:05") + " UTC"
	out, err := exec.Command(oathtool, "--totp", "-b", "-w", strconv.Itoa(count-1), "-N", at, p.secret).Output()
	if err != nil {
		p.t.Fatalf("oathtool: %v", err)
	}
	return strings.Fields(string(out))
}

// code hands out the earliest code that the program must still accept.
func (p *phone) code() string {
	p.t.Helper()
	now, left := nowStep()
	step := max(p.used+1, now-1)
	if step == now-1 && left < margin {
		step = now // the step before could leave the window while it is being typed
	}
	return p.take(step)
}

// previous hands out the code before the current one, as a phone shows it that is behind by half a minute.
func (p *phone) previous() string {
	p.t.Helper()
	now, left := nowStep()
	if left < margin {
		now = p.await(now + 1) // else it could leave the window while it is being typed
	}
	return p.take(now - 1)
}

// current hands out the current code.
func (p *phone) current() string {
	p.t.Helper()
	now, _ := nowStep()
	return p.take(now)
}

// next hands out the code after the current one, as a phone shows it that is ahead by half a minute.
func (p *phone) next() string {
	p.t.Helper()
	now, _ := nowStep()
	return p.take(now + 1)
}

// take hands out the code of step, or of the first unused step after it. When that is not in the window
// yet, it waits until the step before it has begun.
func (p *phone) take(step int64) string {
	p.t.Helper()
	step = max(step, p.used+1)
	p.await(step - 1)
	p.used = step
	return p.codes(step, 1)[0]
}

// await waits until time step has begun and returns the current step.
func (p *phone) await(step int64) int64 {
	p.t.Helper()
	now, _ := nowStep()
	err := poll(2*timeStep, func() error {
		if now, _ = nowStep(); now < step {
			return fmt.Errorf("time step %d has not begun", step)
		}
		return nil
	})
	if err != nil {
		p.t.Fatal(err)
	}
	return now
}

// wrong is a code that belongs to no time step within ten minutes of now: a slip of the finger, not a
// clock that is off.
func (p *phone) wrong() string {
	p.t.Helper()
	now, _ := nowStep()
	near := p.codes(now-25, 51)
	for n := 0; ; n++ {
		if code := fmt.Sprintf("%06d", n*12345); !slices.Contains(near, code) {
			return code
		}
	}
}

// behind is the code that a phone shows whose clock is behind by this many time steps. It is not used up.
func (p *phone) behind(steps int64) string {
	p.t.Helper()
	now, _ := nowStep()
	return p.codes(now-steps, 1)[0]
}

// ahead is the code that a phone shows whose clock is ahead by this many time steps. It is not used up.
func (p *phone) ahead(steps int64) string {
	p.t.Helper()
	return p.behind(-steps)
}
