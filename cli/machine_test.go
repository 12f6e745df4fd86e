package cli

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"gatehouse/db"
)

// run runs one command over a data directory with a line of standard input.
func run(t *testing.T, dir, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	schema, err := os.ReadFile("../schema.sql")
	if err != nil {
		t.Fatal(err)
	}
	in, err := os.CreateTemp(t.TempDir(), "stdin")
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if _, err := in.WriteString(stdin); err != nil {
		t.Fatal(err)
	}
	if _, err := in.Seek(0, 0); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	code = Run(context.Background(), Process{
		Args:   append(args, "--data", dir),
		Stdin:  in,
		Stdout: &out,
		Stderr: &errs,
		Files:  Files{Schema: string(schema)},
	})
	return code, out.String(), errs.String()
}

// TestInviteAndRemove invites somebody on the machine, takes the invitation back, and
// invites them anew: the address is free again.
func TestInviteAndRemove(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	if code, _, errs := run(t, dir, "violet kettle harbour\n", "user", "add", "ada@example.org", "--name", "Ada",
		"--new-workspace", "--role", "super-administrator"); code != exitOK {
		t.Fatal(errs)
	}
	link := regexp.MustCompile(`^https://portal\.example\.org/welcome/[A-Za-z0-9_-]{43}\n$`)
	for _, base := range []string{"https://portal.example.org", "https://PORTAL.example.org:443/"} {
		code, out, errs := run(t, dir, "", "user", "invite", "bob@example.org", "--name", "Bob", "--base-url", base)
		if code != exitOK || !link.MatchString(out) || !strings.Contains(errs, "works once") {
			t.Fatalf("%s: %d %q %q; want the link alone on standard output", base, code, out, errs)
		}
		if code, _, errs := run(t, dir, "", "user", "invite", "bob@example.org", "--name", "Bob", "--base-url",
			base); code != exitFailed || !strings.Contains(errs, "e-mail address") {
			t.Errorf("once more: %d %q", code, errs)
		}
		if code, out, errs := run(t, dir, "", "user", "remove", "bob@example.org"); code != exitOK ||
			!strings.Contains(out, "Removed bob@example.org") {
			t.Fatalf("removing: %d %q %q", code, out, errs)
		}
		if code, _, _ := run(t, dir, "", "user", "remove", "bob@example.org"); code != exitFailed {
			t.Errorf("removing once more: %d", code)
		}
	}
	if _, out, _ := run(t, dir, "", "user", "list"); strings.Contains(out, "bob") || strings.Contains(out, "removed") ||
		!strings.Contains(out, "ada@example.org") {
		t.Errorf("the list is %q", out)
	}
	if code, _, errs := run(t, dir, "", "user", "remove", "ada@example.org"); code != exitFailed ||
		!strings.Contains(errs, "last active Super-administrator") {
		t.Errorf("the last one: %d %q", code, errs)
	}
	t.Setenv("GATEHOUSE_BASE_URL", "https://portal.example.org")
	if code, out, errs := run(t, dir, "", "user", "invite", "cy@example.org", "--name", "Cy", "--role",
		"administrator"); code != exitOK || !link.MatchString(out) {
		t.Errorf("with the address in the environment: %d %q %q", code, out, errs)
	}
}

func TestInviteNeedsAnAddress(t *testing.T) {
	for _, base := range []string{"", "portal.example.org", "ftp://portal.example.org", "https://",
		"https://portal.example.org/deep", "https://u:p@portal.example.org", "https://portal.example.org?x"} {
		code, out, errs := run(t, t.TempDir(), "", "user", "invite", "bob@example.org", "--name", "Bob", "--base-url",
			base)
		if code != exitUsage || out != "" || !strings.Contains(errs, "--base-url") {
			t.Errorf("%q: %d %q %q", base, code, out, errs)
		}
	}
}

func TestPrune(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	if code, _, errs := run(t, dir, "violet kettle harbour\n", "user", "add", "ada@example.org", "--name", "Ada",
		"--new-workspace"); code != exitOK {
		t.Fatal(errs)
	}
	for before, want := range map[string]struct {
		code int
		says string
	}{
		"":           {exitUsage, "--before takes a day"},
		"yesterday":  {exitUsage, "--before takes a day"},
		"2026-13-01": {exitUsage, "--before takes a day"},
		"9999-01-01": {exitUsage, "not in the future"},
		"2000-01-01": {exitOK, "There is no activity from before 2000-01-01."},
	} {
		code, out, errs := run(t, dir, "", "activity", "prune", "--before="+before)
		if code != want.code || !strings.Contains(out+errs, want.says) {
			t.Errorf("before %q: %d %q %q", before, code, out, errs)
		}
	}
}

// TestInviteIsMailed invites somebody on the machine of a workspace that sends mails: the link waits
// in the outbox and is printed nowhere, unless it is asked for.
func TestInviteIsMailed(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	if code, _, errs := run(t, dir, "violet kettle harbour\n", "user", "add", "ada@example.org", "--name", "Ada",
		"--new-workspace", "--role", "super-administrator"); code != exitOK {
		t.Fatal(errs)
	}
	mails := func(from string) (tokens []string) {
		t.Helper()
		store, err := db.Open(t.Context(), db.Options{Dir: dir, Now: time.Now(), Times: db.DefaultTimes})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = store.Close() }()
		if err := store.SetMailFrom(t.Context(), from, time.Now()); err != nil {
			t.Fatal(err)
		}
		for {
			m, err := store.ClaimMail(t.Context(), time.Now().Add(time.Minute))
			if errors.Is(err, db.ErrNotFound) {
				return tokens
			}
			if err != nil {
				t.Fatal(err)
			}
			tokens = append(tokens, m.Email+" "+string(m.Kind)+" "+strconv.Itoa(len(m.Token)))
		}
	}
	mails("portal@example.org")
	code, out, errs := run(t, dir, "", "user", "invite", "bob@example.org", "--name", "Bob")
	if code != exitOK || out != "" || !strings.Contains(errs, "mailed to bob@example.org") {
		t.Fatalf("%d %q %q; want it mailed", code, out, errs)
	}
	if got := mails("portal@example.org"); !slices.Equal(got, []string{"bob@example.org invitation 43"}) {
		t.Errorf("the outbox holds %q", got)
	}
	code, out, errs = run(t, dir, "", "user", "invite", "cy@example.org", "--name", "Cy", "--show-link",
		"--base-url", "https://portal.example.org")
	if code != exitOK || !strings.HasPrefix(out, "https://portal.example.org/welcome/") {
		t.Errorf("with --show-link: %d %q %q", code, out, errs)
	}
	if got := mails("portal@example.org"); len(got) != 0 {
		t.Errorf("the outbox holds %q after --show-link", got)
	}
	if code, _, errs := run(t, dir, "", "user", "invite", "di@example.org", "--name", "Di", "--show-link"); code != exitUsage ||
		!strings.Contains(errs, "--base-url") {
		t.Errorf("a link without an address: %d %q", code, errs)
	}
}
