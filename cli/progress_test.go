package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatehouse/db"
)

// A screen is a writer that says that it is a terminal.
type screen struct{ bytes.Buffer }

func (screen) IsTerminal() bool { return true }

// TestProgress does long work before a terminal, which shows one line written over, and before a
// log, which gets a line from time to time. Short work says nothing.
func TestProgress(t *testing.T) {
	t.Parallel()
	type report struct {
		after       time.Duration
		step        db.Step
		done, total int64
	}
	long := []report{
		{0, db.StepCopying, 0, 1000},
		{2 * time.Second, db.StepCopying, 100, 1000},
		{2*time.Second + time.Millisecond, db.StepCopying, 101, 1000}, // too soon to be told again
		{12 * time.Second, db.StepCopying, 600, 1000},
		{12*time.Second + time.Millisecond, db.StepChecking, 0, 0}, // at once: the line speaks of what is over
		{40 * time.Second, db.StepSealing, 1, 3},
		{140 * time.Second, db.StepSealing, 2, 7300},
	}
	for name, c := range map[string]struct {
		terminal bool
		reports  []report
		want     string
	}{
		"a terminal": {true, long, "\rCopying: 10 %, 18 s left\x1b[K\rCopying: 60 %, 8 s left\x1b[K\rChecking the file …\x1b[K" +
			"\rSealing secrets again: 33 %\x1b[K\rSealing secrets again: 0 %, 101.4 h left\x1b[K\r\x1b[K"},
		"a log":                    {false, long, "Copying: 60 %, 8 s left\nSealing secrets again: 33 %\nSealing secrets again: 0 %, 101.4 h left\n"},
		"short work at a terminal": {true, []report{{0, db.StepCopying, 0, 10}, {100 * time.Millisecond, db.StepCopying, 10, 10}}, ""},
		"short work in a log":      {false, []report{{0, db.StepCopying, 0, 10}, {9 * time.Second, db.StepCopying, 10, 10}}, ""},
		"a step of one's own":      {false, []report{{11 * time.Second, "Importing", 5, 10}}, "Importing: 50 %\n"},
	} {
		var out screen
		var now time.Time
		env := &commandEnv{Process: Process{Stderr: &out}, now: func() time.Time { return now }}
		if !c.terminal {
			env.Stderr = &out.Buffer
		}
		p := env.newProgress()
		for _, r := range c.reports {
			now = time.Time{}.Add(r.after)
			p.tell(r.step, r.done, r.total)
		}
		p.end()
		if got := out.String(); got != c.want {
			t.Errorf("%s: got %q; want %q", name, got, c.want)
		}
	}
}

// TestBackupIsNoted makes backups, and looks that the workspace knows when.
func TestBackupIsNoted(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	if code, _, errs := run(t, dir, "violet kettle harbour\n", "user", "add", "ada@example.org", "--name", "Ada",
		"--new-workspace"); code != exitOK {
		t.Fatal(errs)
	}
	file := filepath.Join(t.TempDir(), "backup.db")
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{file}, exitOK, "holds a checked copy"},
		{[]string{file}, exitFailed, "exists already"},
		{[]string{"--note"}, exitOK, "Noted"},
		{[]string{"--note", file}, exitUsage, "--note"},
		{nil, exitUsage, "--note"},
	} {
		code, out, errs := run(t, dir, "", append([]string{"backup"}, c.args...)...)
		if code != c.code || !strings.Contains(out+errs, c.says) {
			t.Errorf("%v: %d %q %q", c.args, code, out, errs)
		}
	}
	if _, err := os.Stat(file); err != nil {
		t.Error(err)
	}
}
