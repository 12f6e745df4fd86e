package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"gatehouse/db"

	"golang.org/x/term"
)

// How often the progress of long work is told: on a terminal, where one line is written over
// again and again, and elsewhere, where each is kept.
const (
	progressBlink = 250 * time.Millisecond
	progressLog   = 10 * time.Second
)

// A progress tells on standard error how far long work has come. It is silent while the work is
// short.
type progress struct {
	out      io.Writer
	terminal bool
	now      func() time.Time

	step    db.Step
	begunAt time.Time // the step
	toldAt  time.Time // last, or when the work began
	shown   bool      // a line stands on the terminal
}

// withProgress runs long work whose progress is told.
func (env *commandEnv) withProgress(do func(ctx context.Context) error) error {
	p := env.newProgress()
	defer p.end()
	return do(db.WithProgress(env.ctx, p.tell))
}

func (env *commandEnv) newProgress() *progress {
	return &progress{out: env.Stderr, terminal: isTerminal(env.Stderr), now: env.now, toldAt: env.now()}
}

// isTerminal reports whether a line that was written can be written over.
func isTerminal(out io.Writer) bool {
	if f, ok := out.(*os.File); ok {
		return os.Getenv("TERM") != "dumb" && term.IsTerminal(int(f.Fd()))
	}
	pretends, ok := out.(interface{ IsTerminal() bool })
	return ok && pretends.IsTerminal()
}

// tell notes how far a step has come, and says so when that is due. A total of 0 is unknown.
func (p *progress) tell(step db.Step, done, total int64) {
	now := p.now()
	begins := step != p.step
	if begins {
		p.step, p.begunAt = step, now
	}
	every := progressLog
	if p.terminal {
		every = progressBlink
	}
	if now.Sub(p.toldAt) < every && (!begins || !p.shown) { // what the line says is over
		return
	}
	p.toldAt = now
	line := stepName(step)
	if total > 0 {
		line = fmt.Sprintf("%s: %d %%%s", line, min(100, done*100/total), timeLeft(now.Sub(p.begunAt), done, total))
	} else {
		line += " …"
	}
	if !p.terminal {
		fmt.Fprintln(p.out, line)
		return
	}
	fmt.Fprintf(p.out, "\r%s\x1b[K", line)
	p.shown = true
}

// end takes the line off the terminal.
func (p *progress) end() {
	if p.shown {
		fmt.Fprint(p.out, "\r\x1b[K")
		p.shown = false
	}
}

// stepName is a step in words. Whoever counts something of their own names it as it is shown.
func stepName(step db.Step) string {
	switch step {
	case db.StepCopying:
		return "Copying"
	case db.StepComparing:
		return "Comparing what was copied"
	case db.StepChecking:
		return "Checking the file"
	case db.StepOpening:
		return "Opening sealed secrets"
	case db.StepSealing:
		return "Sealing secrets again"
	}
	return string(step)
}

// timeLeft says how long the rest takes if it goes on like this; nothing before that can be
// told.
func timeLeft(elapsed time.Duration, done, total int64) string {
	if done <= 0 || elapsed < time.Second {
		return ""
	}
	left := time.Duration(float64(elapsed) / float64(done) * float64(max(0, total-done)))
	switch {
	case left < time.Second:
		return ""
	case left < time.Minute:
		return fmt.Sprintf(", %d s left", int(left.Seconds()))
	case left < time.Hour:
		return fmt.Sprintf(", %d min left", int(left.Minutes()+0.5))
	}
	return fmt.Sprintf(", %.1f h left", left.Hours())
}
