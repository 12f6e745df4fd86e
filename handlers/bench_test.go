//go:build bench && unix

package handlers_test

import (
	"database/sql"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"gatehouse/db"
	"gatehouse/db/dbtest"
	"gatehouse/handlers"
	"gatehouse/twofactor"
	"gatehouse/views"

	"github.com/a-h/templ"
	"github.com/yeqown/go-qrcode/v2"
	"golang.org/x/crypto/argon2"
	_ "modernc.org/sqlite"
)

// Each benchmark measures a bare limit, the least work that the job allows, and
// then the product's own handler over a real file, in one run, and reports the
// CPU time of both and their ratio. CPU time, the kernel's account of the
// process, moves far less than the clock on a machine that does other things.

// cpu is the CPU time that the process has used.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// compare runs the limit and then the product, and reports their ratio. What
// prepare gives is done before each run of the product, and not measured.
func compare[P any](b *testing.B, limit func(), prepare func() P, product func(P)) {
	b.Helper()
	least := 0.0
	b.Run("limit", func(b *testing.B) {
		least = measure(b, noSetup, func(struct{}) { limit() })
	})
	b.Run("gatehouse", func(b *testing.B) {
		if perOp := measure(b, prepare, product); least > 0 {
			b.ReportMetric(perOp/least, "x-limit")
		}
	})
}

// measure runs do until the benchmark is satisfied and returns its CPU time in
// milliseconds.
func measure[P any](b *testing.B, prepare func() P, do func(P)) float64 {
	b.Helper()
	b.ReportAllocs()
	do(prepare()) // what is done once
	var used time.Duration
	b.ResetTimer()
	for range b.N {
		b.StopTimer()
		prepared := prepare()
		b.StartTimer()
		start := cpu(b)
		do(prepared)
		used += cpu(b) - start
	}
	perOp := float64(used) / float64(b.N) / float64(time.Millisecond)
	b.ReportMetric(perOp, "cpu-ms/op")
	return perOp
}

// noSetup is prepared.
func noSetup() struct{} { return struct{}{} }

// bench is a site with people who have two-factor enabled.
type bench struct {
	*site
	people []db.FilledPerson
	turn   int
}

// next is another person each time.
func (s *bench) next() db.FilledPerson {
	s.turn++
	return s.people[s.turn%len(s.people)]
}

func newBench(b *testing.B) *bench {
	b.Helper()
	s := &site{t: b, store: dbtest.OpenRecommended(b, b.TempDir()), now: dbtest.Start}
	return serveBench(b, s, 1000, 1000)
}

// serveBench fills a site and serves it.
func serveBench(b *testing.B, s *site, people, rows int) *bench {
	b.Helper()
	filled, err := s.store.Fill(ctx, people, rows, dbtest.Password, s.now)
	if err != nil {
		b.Fatal(err)
	}
	s.server, err = handlers.New(handlers.Config{
		Store:  s.store,
		Static: staticFiles(),
		Log:    slog.New(slog.NewJSONHandler(io.Discard, nil)),
		Now:    func() time.Time { return s.now },
	})
	if err != nil {
		b.Fatal(err)
	}
	// the rest would be the collector's work
	return &bench{site: s, people: slices.Clone(filled[:min(len(filled), 1000)])}
}

// serve sends a request straight to the handler, without a network.
func (s *bench) serve(r *http.Request, want int, cookies ...string) *httptest.ResponseRecorder {
	r.RemoteAddr = "192.0.2.7:4711"
	return s.answer(r, want, cookies...)
}

// answer is serve from whatever address the request has.
func (s *bench) answer(r *http.Request, want int, cookies ...string) *httptest.ResponseRecorder {
	for i := 0; i+1 < len(cookies); i += 2 {
		r.AddCookie(&http.Cookie{Name: cookies[i], Value: cookies[i+1]})
	}
	w := httptest.NewRecorder()
	s.server.ServeHTTP(w, r)
	if w.Code != want {
		s.t.Errorf("%s %s: status %d, want %d", r.Method, r.URL.Path, w.Code, want)
	}
	return w
}

func formRequest(path string, fields url.Values) *http.Request {
	r := httptest.NewRequest("POST", path, strings.NewReader(fields.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r
}

// pendingSignIn is somebody who has given a right password.
type pendingSignIn struct {
	token string
	code  string // of now
}

func (s *bench) newPendingSignIn() pendingSignIn {
	s.advance(twofactor.Period)
	return s.openPendingSignIn(s.next())
}

func (s *bench) openPendingSignIn(p db.FilledPerson) pendingSignIn {
	token, err := s.store.OpenChallenge(ctx, p.Email, s.now)
	if err != nil {
		s.t.Fatal(err)
	}
	return pendingSignIn{token, s.code(p.Secret.Base32())}
}

// secondStep passes the second step and returns the session's cookie.
func (s *bench) secondStep(o pendingSignIn) string {
	w := s.serve(formRequest("/signin/two-factor", url.Values{"code": {o.code}}), http.StatusSeeOther,
		"gatehouse-challenge", o.token)
	for _, c := range w.Result().Cookies() {
		if c.Name == "gatehouse" {
			return c.Value
		}
	}
	s.t.Error("no session")
	return ""
}

// bareHandler serves a page at /page with the headers that any sign-in needs, and
// does nothing else; look may read something first.
func bareHandler(b *testing.B, page templ.Component, look func()) (ask func()) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /page", func(w http.ResponseWriter, r *http.Request) {
		look()
		h := w.Header()
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Content-Security-Policy",
			"default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		if err := page.Render(r.Context(), w); err != nil {
			b.Error(err)
		}
	})
	return func() { mux.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/page", nil)) }
}

// BenchmarkSignInPage: a bare handler with the same page, against the page through
// everything.
func BenchmarkSignInPage(b *testing.B) {
	s := newBench(b)
	page := views.SignInPage(views.Frame{Workspace: "Acme", Now: s.now}, views.SignIn{})
	compare(b, bareHandler(b, page, func() {}), noSetup,
		func(struct{}) { s.serve(httptest.NewRequest("GET", "/signin", nil), http.StatusOK) })
}

// BenchmarkTwoFactorPage: a bare handler with one read by key and the same page,
// against the management screen.
func BenchmarkTwoFactorPage(b *testing.B) {
	s := newBench(b)
	session := s.secondStep(s.newPendingSignIn())
	bare := bareDatabase(b)
	card := views.TwoFactor{
		Workspace:  "Acme",
		Email:      s.people[0].Email,
		Now:        s.now,
		Enrollment: twofactor.Enrollment{State: twofactor.Enabled, ConfirmedAt: s.now},
	}
	page := views.TwoFactorPage(views.Frame{
		Workspace: "Acme",
		Now:       s.now,
		Visitor:   views.Visitor{Name: "Ada", Email: s.people[0].Email},
	}, card)
	read, err := bare.Prepare(`SELECT n FROM used WHERE id = 1`)
	if err != nil {
		b.Fatal(err)
	}
	compare(b, bareHandler(b, page, func() {
		var n int64
		if err := read.QueryRow().Scan(&n); err != nil {
			b.Error(err)
		}
	}), noSetup, func(struct{}) {
		s.serve(httptest.NewRequest("GET", "/my/profile/two-factor", nil), http.StatusOK, "gatehouse", session)
	})
}

// BenchmarkPortal: My portal with one app against My portal with thirty, of a thousand.
func BenchmarkPortal(b *testing.B) {
	one, thirty := newBench(b), newBench(b)
	add := func(s *bench, n int, access db.AppAccess) {
		for i := range n {
			s.addApp(fmt.Sprintf("App %d %v", i, access.Everyone), fmt.Sprintf("app%d-%v.example.org", i, access.Everyone), access)
		}
	}
	add(one, 1, db.AppAccess{Everyone: true})
	add(thirty, 30, db.AppAccess{Everyone: true})
	add(thirty, 970, db.AppAccess{Roles: []string{"administrator"}})
	visit := func(s *bench) func() {
		session := s.secondStep(s.newPendingSignIn())
		return func() { s.serve(httptest.NewRequest("GET", "/my", nil), http.StatusOK, "gatehouse", session) }
	}
	few, many := visit(one), visit(thirty)
	compare(b, few, noSetup, func(struct{}) { many() })
}

// BenchmarkPasswordStep: one argon2id against the password step.
func BenchmarkPasswordStep(b *testing.B) {
	s := newBench(b)
	salt := make([]byte, 16)
	compare(b, func() { argon2.IDKey([]byte(dbtest.Password), salt, 2, 19456, 1, 32) }, noSetup, func(struct{}) {
		s.advance(time.Minute)
		s.serve(formRequest("/signin", url.Values{"email": {s.next().Email}, "password": {dbtest.Password}}),
			http.StatusSeeOther)
	})
}

// BenchmarkTOTPStep: a durable transaction of one update and one insert against
// the second step, with its replay mark, session and activity row.
func BenchmarkTOTPStep(b *testing.B) {
	s := newBench(b)
	compare(b, durableTransaction(b), s.newPendingSignIn, func(o pendingSignIn) { s.secondStep(o) })
}

// BenchmarkTOTPStepAtOnce: the same, sixteen at a time, with what both get done in
// a second. The limit commits each by itself and the product those that wait
// together, so the product may be the quicker one. Each person passes once in a
// batch: a time step counts once.
func BenchmarkTOTPStepAtOnce(b *testing.B) {
	s := newBench(b)
	compareConcurrent(b, durableTransaction(b), func(n int) []func() {
		s.advance(time.Hour)
		var jobs []func()
		for _, p := range s.people[:min(n, len(s.people))] {
			o := s.openPendingSignIn(p)
			jobs = append(jobs, func() { s.secondStep(o) })
		}
		return jobs
	})
}

// BenchmarkPasswordStepAtOnce: sixteen argon2id behind a limiter like the product's,
// against as many sign-ins.
func BenchmarkPasswordStepAtOnce(b *testing.B) {
	s := newBench(b)
	// as many as the product lets run
	salt, limiter := make([]byte, 16), make(chan struct{}, min(runtime.GOMAXPROCS(0), 4))
	compareConcurrent(b, func() {
		limiter <- struct{}{}
		argon2.IDKey([]byte(dbtest.Password), salt, 2, 19456, 1, 32)
		<-limiter
	}, func(n int) []func() {
		s.advance(time.Hour)
		var jobs []func()
		for i, p := range s.people[:min(n, len(s.people))] {
			jobs = append(jobs, func() {
				r := formRequest("/signin", url.Values{"email": {p.Email}, "password": {dbtest.Password}})
				r.RemoteAddr = fmt.Sprintf("192.0.%d.%d:4711", i>>8, i&0xff)
				s.answer(r, http.StatusSeeOther)
			})
		}
		return jobs
	})
}

// durableTransaction returns a bare durable transaction of one update and one insert.
func durableTransaction(b *testing.B) func() {
	bare := bareDatabase(b)
	return func() {
		tx, err := bare.Begin()
		if err != nil {
			b.Error(err)
			return
		}
		for _, query := range []string{`UPDATE used SET n = n + 1 WHERE id = 1`,
			`INSERT INTO session (id, at) VALUES (hex(randomblob(16)), 1)`} {
			if _, err := tx.Exec(query); err != nil {
				b.Error(err)
			}
		}
		if err := tx.Commit(); err != nil {
			b.Error(err)
		}
	}
}

// compareConcurrent is beside with sixteen under way at a time. Prepare gives up to n
// jobs of the product, at least one.
func compareConcurrent(b *testing.B, limit func(), prepare func(n int) []func()) {
	b.Helper()
	rate, least := 0.0, 0.0
	b.Run("limit", func(b *testing.B) {
		rate, least = runConcurrently(b, func(n int) []func() { return slices.Repeat([]func(){limit}, n) })
	})
	b.Run("gatehouse", func(b *testing.B) {
		if perSecond, perOp := runConcurrently(b, prepare); rate > 0 && least > 0 {
			b.ReportMetric(perOp/least, "x-limit")
			b.ReportMetric(perSecond/rate, "of-limit-rate")
		}
	})
}

// atOnce is how many jobs are under way at a time.
const atOnce = 16

// runConcurrently has b.N jobs done, and returns how many a second and the CPU time of one
// in milliseconds.
func runConcurrently(b *testing.B, prepare func(n int) []func()) (perSecond, perOp float64) {
	b.Helper()
	b.ReportAllocs()
	var used, elapsed time.Duration
	b.ResetTimer()
	for left := b.N; left > 0; {
		b.StopTimer()
		jobs := prepare(left)
		left -= len(jobs)
		b.StartTimer()
		start, at := cpu(b), time.Now()
		var next atomic.Int64
		var all sync.WaitGroup
		for range atOnce {
			all.Go(func() {
				for i := next.Add(1) - 1; i < int64(len(jobs)); i = next.Add(1) - 1 {
					jobs[i]()
				}
			})
		}
		all.Wait()
		used, elapsed = used+cpu(b)-start, elapsed+time.Since(at)
	}
	perSecond, perOp = float64(b.N)/elapsed.Seconds(), float64(used)/float64(b.N)/float64(time.Millisecond)
	b.ReportMetric(perSecond, "op/s")
	b.ReportMetric(perOp, "cpu-ms/op")
	return perSecond, perOp
}

// BenchmarkEnable: the encoding of a QR code against the whole step that shows one.
func BenchmarkEnable(b *testing.B) {
	s := newBench(b)
	s.add("ada@example.org", twofactor.Member)
	cookie := s.signedIn("ada@example.org").cookies["gatehouse"]
	uri := twofactor.KeyURI("Acme", "ada@example.org", s.people[0].Secret)
	compare(b, func() {
		if _, err := qrcode.NewWith(uri, qrcode.WithErrorCorrectionLevel(qrcode.ErrorCorrectionMedium),
			qrcode.WithEncodingMode(qrcode.EncModeByte)); err != nil {
			b.Fatal(err)
		}
	}, noSetup, func(struct{}) {
		s.serve(formRequest("/my/profile/two-factor/enable", nil), http.StatusOK, "gatehouse", cookie)
	})
}

// bareDatabase is a file with as much durability as ours and two small tables. It
// syncs as the store that was opened before does: that switch is the process's.
func bareDatabase(b *testing.B) *sql.DB {
	b.Helper()
	path := filepath.Join(b.TempDir(), "bare.db")
	bare, err := sql.Open("sqlite",
		fmt.Sprintf("file:%s?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_txlock=immediate", path))
	if err != nil {
		b.Fatal(err)
	}
	bare.SetMaxOpenConns(1)
	b.Cleanup(func() { _ = bare.Close() })
	for _, query := range []string{`CREATE TABLE used (id INTEGER PRIMARY KEY, n INTEGER NOT NULL)`,
		`CREATE TABLE session (id TEXT PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID`,
		`INSERT INTO used VALUES (1, 0)`} {
		if _, err := bare.Exec(query); err != nil {
			b.Fatal(err)
		}
	}
	return bare
}
