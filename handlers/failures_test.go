package handlers_test

import (
	"log/slog"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"gatehouse/handlers"
	"gatehouse/twofactor"
)

// failregex reads the expressions of the documented filter, as fail2ban does: <ADDR>
// stands for an address.
func failregex(t *testing.T) (all []*regexp.Regexp) {
	t.Helper()
	text, err := os.ReadFile("../docs/fail2ban/gatehouse.conf")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(strings.TrimPrefix(line, "failregex ="))
		if strings.HasPrefix(line, "^") {
			all = append(all, regexp.MustCompile(strings.ReplaceAll(line, "<ADDR>", `(?P<addr>[0-9a-f.:]+)`)))
		}
	}
	if len(all) != 2 {
		t.Fatalf("%d expressions, want one a format", len(all))
	}
	return all
}

// TestFail2ban fails to sign in in every way and applies the documented filter to the
// lines of the log, in both formats.
func TestFail2ban(t *testing.T) {
	t.Parallel()
	for name, handler := range map[string]func(*strings.Builder) slog.Handler{
		"text": func(b *strings.Builder) slog.Handler { return slog.NewTextHandler(b, nil) },
		"json": func(b *strings.Builder) slog.Handler { return slog.NewJSONHandler(b, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			var log strings.Builder
			s := newSite(t, func(c *handlers.Config) { c.Log = slog.New(handler(&log)) })
			s.add("ada@example.org", twofactor.Member)
			_, _, codes := s.enrolled("ada@example.org")
			s.advance(time.Minute)
			failed := func() (addresses []string) {
				t.Helper()
				for line := range strings.Lines(log.String()) {
					for _, one := range failregex(t) {
						if m := one.FindStringSubmatch(strings.TrimSpace(line)); m != nil {
							addresses = append(addresses, m[1])
						}
					}
				}
				if strings.Contains(log.String(), "typed-in-error") || strings.Contains(log.String(), "nobody@") {
					t.Errorf("what was typed stands in the log:\n%s", log.String())
				}
				log.Reset()
				return addresses
			}
			log.Reset()
			b := s.browser()
			b.address = "[2001:db8::7]:4711"
			expect := func(what string, n int) {
				t.Helper()
				got := failed()
				if len(got) != n || n > 0 && got[0] != "2001:db8::7" {
					t.Errorf("%s: the filter finds %v; want %d", what, got, n)
				}
			}
			b.post("/signin", "email", "nobody@example.org", "password", "typed-in-error").wantStatus(422)
			expect("an unknown name", 1)
			b.post("/signin", "email", "ada@example.org", "password", "typed-in-error").wantStatus(422)
			expect("a wrong password", 1)
			b.post("/signin", "email", `" address=192.0.2.99 x="`, "password", `"address":"192.0.2.99"`).wantStatus(422)
			expect("a name like a line of the log", 1)
			b.post("/welcome/typed-in-error", "password", "lantern sofa marble").wantStatus(404)
			b.post("/setup/typed-in-error", "password", "lantern sofa marble").wantStatus(404)
			expect("links that do not exist", 2)
			b.post("/signin", "email", "ada@example.org", "password", "violet kettle harbour").wantRedirect("/signin/two-factor")
			expect("a right password", 0)
			b.post("/signin/two-factor", "code", "000000").wantStatus(422)
			b.post("/signin/two-factor/recovery", "recovery_code", "0000-0000").wantStatus(422)
			expect("wrong codes", 2)
			b.post("/signin/two-factor/recovery", "recovery_code", codes[0]).wantRedirect("/my")
			expect("a right one", 0)
			for range 20 {
				b.post("/welcome/typed-in-error", "password", "lantern sofa marble")
			}
			failed()
			b.post("/welcome/typed-in-error", "password", "lantern sofa marble").wantStatus(429)
			if !strings.Contains(log.String(), "authn_login_wait") {
				t.Errorf("no line of the wait:\n%s", log.String())
			}
			expect("a wait", 0)
		})
	}
}
