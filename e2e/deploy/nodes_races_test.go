package deploy

import (
	"fmt"
	"net/http"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// atOnce lets 64 clients of each node send a form at the same time, and counts the statuses of the answers.
func atOnce(t testing.TB, addresses []string, send func(n int, address string) int) map[int]int {
	t.Helper()
	var mu sync.Mutex
	counts := map[int]int{}
	var ready, all sync.WaitGroup
	begin := make(chan struct{})
	for n := range 64 * len(addresses) {
		ready.Add(1)
		all.Go(func() {
			ready.Done()
			<-begin
			status := send(n, addresses[n%len(addresses)])
			mu.Lock()
			defer mu.Unlock()
			counts[status]++
		})
	}
	ready.Wait()
	close(begin)
	all.Wait()
	return counts
}

var recoveryOnCard = regexp.MustCompile(`[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}`)

// TestRacesOfTwoNodes sends to two nodes at once what counts once, or a few times: 64 clients each.
func TestRacesOfTwoNodes(t *testing.T) {
	c := newCluster(t)
	_, first := c.node()
	_, second := c.node()
	both := []string{first, second}
	b := newBrowser(t, c.base, first, "127.0.0.1", nil)
	b.post("/signin", 303, "email", ada, "password", password)
	found := secretOnCard.FindStringSubmatch(b.post("/my/profile/two-factor/enable", 200))
	if found == nil {
		t.Fatal("no secret on the card")
	}
	secret := strings.ReplaceAll(found[1], " ", "")
	recovery := recoveryOnCard.FindAllString(b.post("/my/profile/two-factor/confirm", 200, "code", code(t, secret, 0)), -1)
	if len(recovery) < 8 {
		t.Fatalf("recovery codes: %q", recovery)
	}
	openIDRaces(t, c, both, b)
	b.post("/signout", 303)

	challenge := func(from string) *browser {
		t.Helper()
		own := newBrowser(t, c.base, first, from, nil)
		own.client.Jar = b.client.Jar // a known browser
		own.post("/signin", 303, "email", ada, "password", password)
		return own
	}
	// jarless posts with the cookies of now: an answer that signs in does not change the others'.
	jarless := func(own *browser, path, name, value string) func(n int, address string) int {
		cookies := own.client.Jar.Cookies(own.last.Request.URL)
		return func(_ int, address string) int {
			other := newBrowser(t, c.base, address, "127.0.0.1", nil)
			other.client.Jar.SetCookies(own.last.Request.URL, cookies)
			return other.try(path, name, value)
		}
	}
	looked := func(method string) string {
		return c.server.sql("gatehouse", `SELECT count(*) FROM activity WHERE ok = FALSE AND method = '`+method+`'`)
	}

	t.Run("one code signs in once", func(t *testing.T) {
		if got := atOnce(t, both, jarless(challenge("127.0.0.1"), "/signin/two-factor", "code", code(t, secret, 1))); got[303] < 1 ||
			c.server.sql("gatehouse", `SELECT count(*) FROM activity WHERE event = 'authn_login_success' AND method = 'totp'`) != "1" {
			t.Errorf("answers: %v", got)
		}
	})
	t.Run("one recovery code signs in once", func(t *testing.T) {
		atOnce(t, both, jarless(challenge("127.0.0.1"), "/signin/two-factor/recovery", "recovery_code", recovery[0]))
		if got := c.server.sql("gatehouse", `SELECT count(*) FROM recovery_code WHERE used_at IS NOT NULL`); got != "1" {
			t.Errorf("%s codes are used up", got)
		}
		if got := c.server.sql("gatehouse", `SELECT count(*) FROM activity WHERE event = 'authn_login_success' AND method = 'recovery code'`); got != "1" {
			t.Errorf("it signed in %s times", got)
		}
	})
	t.Run("five wrong codes of a challenge are looked at", func(t *testing.T) {
		before := looked("totp")
		got := atOnce(t, both, jarless(challenge("127.0.0.1"), "/signin/two-factor", "code", "000000"))
		if before != "0" || looked("totp") != "5" {
			t.Errorf("%s were looked at; answers: %v", looked("totp"), got)
		}
	})
	t.Run("twenty passwords of an address are looked at", func(t *testing.T) {
		got := atOnce(t, both, func(n int, address string) int {
			return newBrowser(t, c.base, address, "127.0.0.7", nil).try("/signin", "email", fmt.Sprintf("nobody%d@example.org", n),
				"password", "wrong")
		})
		if got[http.StatusUnprocessableEntity] > 22 || got[http.StatusUnprocessableEntity] == 0 { // it leaks one in ten seconds
			t.Errorf("answers: %v", got)
		}
	})
	t.Run("ten passwords of a name are looked at", func(t *testing.T) {
		got := atOnce(t, both, func(n int, address string) int {
			from := fmt.Sprintf("127.0.1.%d", n%200+1)
			return newBrowser(t, c.base, address, from, nil).try("/signin", "email", "eve@example.org", "password", "wrong")
		})
		if got[http.StatusUnprocessableEntity] > 13 || got[http.StatusUnprocessableEntity] == 0 { // one more after each second
			t.Errorf("answers: %v", got)
		}
	})
	t.Run("one link works once", func(t *testing.T) {
		out := requireCommand(t, "", append(c.flags(), "user", "invite", "lin@example.org", "--name", "Lin", "--base-url", c.base)...)
		link := regexp.MustCompile(`/welcome/\S+`).FindString(out)
		got := atOnce(t, both, func(n int, address string) int {
			from := fmt.Sprintf("127.0.2.%d", n%200+1)
			return newBrowser(t, c.base, address, from, nil).try(link, "name", "Lin", "password", fmt.Sprintf("violet kettle %d harbour", n))
		})
		if got[http.StatusSeeOther] != 1 {
			t.Errorf("answers: %v", got)
		}
	})
	t.Run("two who demote each other leave one", func(t *testing.T) {
		requireCommand(t, password+"\n", append(c.flags(), "user", "add", "bob@example.org", "--name", "Bob", "--role", "super-administrator")...)
		for range 6 {
			var all sync.WaitGroup
			for _, email := range []string{ada, "bob@example.org"} {
				all.Go(func() {
					_ = exec.Command(program, append(c.flags(), "user", "set-role", email, "member")...).Run() // one of them is refused
				})
			}
			all.Wait()
			if got := c.server.sql("gatehouse", `SELECT count(*) FROM person WHERE role = 'super-administrator' AND active`); got != "1" {
				t.Fatalf("%s Super-administrators are left", got)
			}
			for _, email := range []string{ada, "bob@example.org"} {
				requireCommand(t, "", append(c.flags(), "user", "set-role", email, "super-administrator")...)
			}
		}
	})
}
