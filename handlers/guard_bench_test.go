//go:build bench && unix

package handlers_test

import (
	"crypto/sha256"
	"database/sql"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatehouse/db"
	"gatehouse/db/dbtest"
	"gatehouse/handlers"
	"gatehouse/twofactor"
)

// BenchmarkCheck: a bare handler with the one statement of a check, against the whole answer, in a small workspace
// and in one with 1,000 apps, 10,000 sessions in them and 100,000 people.
func BenchmarkCheck(b *testing.B) {
	for _, size := range []struct {
		name                   string
		people, apps, sessions int
	}{{"small", 10, 2, 10}, {"large", 100_000, 1000, 10_000}} {
		b.Run(size.name, func(b *testing.B) {
			s := &site{t: b, dir: b.TempDir(), now: dbtest.Start}
			s.store = dbtest.OpenIn(b, s.dir)
			base, err := url.Parse(portalURL)
			if err != nil {
				b.Fatal(err)
			}
			s.server, err = handlers.New(handlers.Config{
				Store:          s.store,
				Static:         staticFiles(),
				Log:            slog.New(slog.NewJSONHandler(io.Discard, nil)),
				Now:            func() time.Time { return s.now },
				BaseURL:        base,
				TrustedProxies: proxies,
			})
			if err != nil {
				b.Fatal(err)
			}
			s.add("ada@example.org", twofactor.Member)
			fillGuarded(b, s, size.people, size.apps, size.sessions)
			tokens := min(size.sessions, 1000)
			turn := 0
			next := func() (host, token string) {
				turn++
				i := turn % tokens
				return fmt.Sprintf("app%d.example.org", i%size.apps), fmt.Sprintf("token-%d", i)
			}
			ask := func(h http.Handler) {
				host, token := next()
				r := httptest.NewRequest("GET", "/.gatehouse/check", nil)
				r.RemoteAddr = "192.0.2.7:4711"
				r.Header["X-Original-Url"] = []string{"https://" + host + "/d/1?from=now"}
				r.Header["X-Original-Method"] = []string{"GET"}
				r.Header["Cookie"] = []string{"__Host-gatehouse-app=" + token}
				w := httptest.NewRecorder()
				if h.ServeHTTP(w, r); w.Code != http.StatusOK {
					b.Fatalf("status %d", w.Code)
				}
			}
			bare := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				host, _, _ := strings.Cut(strings.TrimPrefix(r.Header.Get("X-Original-URL"), "https://"), "/")
				cookie, err := r.Cookie("__Host-gatehouse-app")
				if err != nil {
					b.Fatal(err)
				}
				if c, err := s.store.CheckRequest(ctx, host, cookie.Value, s.now); err != nil || !c.MaySee() {
					b.Fatalf("%+v, %v", c, err)
				}
			})
			compare(b, func() { ask(bare) }, noSetup, func(struct{}) { ask(s.server) })
		})
	}
}

// fillGuarded puts people, apps for everyone and sessions in them into a store's file.
func fillGuarded(b *testing.B, s *site, people, apps, sessions int) {
	b.Helper()
	file, err := sql.Open("sqlite", "file:"+filepath.Join(s.dir, db.FileName)+"?_pragma=busy_timeout(5000)")
	if err != nil {
		b.Fatal(err)
	}
	defer file.Close()
	tx, err := file.Begin()
	if err != nil {
		b.Fatal(err)
	}
	do := func(query string, args ...any) {
		b.Helper()
		if _, err := tx.Exec(query, args...); err != nil {
			b.Fatal(err)
		}
	}
	at := s.now.Unix()
	const count = `WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?) `
	do(count+`INSERT INTO person (email, name, sort_key, role, made_at, user_name, sub, password_hash)
		SELECT 'p' || i || '@example.org', 'P ' || i, 'p ' || i, 'member', ?, 'p' || i, 's' || i, 'x' FROM n`, people, at)
	do(count+`INSERT INTO app (slug, name, sort_key, scheme, host, mark, guarded, everyone, made_at)
		SELECT 'app' || i, 'App ' || i, 'app ' || i, 'https', 'app' || i || '.example.org', 'A', 1, 1, ? FROM n`, apps, at)
	for i := range sessions {
		id := sha256.Sum256(fmt.Appendf(nil, "session-%d", i))
		do(`INSERT INTO session (id_hash, handle, person_id, started_at, authenticated_at, seen_at, events_from, events_until, browser, address)
			VALUES (?, ?, (SELECT id FROM person WHERE user_name = ?), ?, ?, ?, 0, 0, '', '')`,
			id[:], fmt.Sprintf("handle-%d", i), fmt.Sprintf("p%d", i*7%people), at, at*1000, at)
		token := sha256.Sum256(fmt.Appendf(nil, "token-%d", i))
		do(`INSERT INTO app_session (id_hash, app_id, session_handle, made_at) VALUES (?, (SELECT id FROM app WHERE slug = ?), ?, ?)`,
			token[:], fmt.Sprintf("app%d", i%apps), fmt.Sprintf("handle-%d", i), at)
	}
	if err := tx.Commit(); err != nil {
		b.Fatal(err)
	}
}
