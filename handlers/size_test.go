package handlers_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"gatehouse/twofactor"
)

// TestPageSizes holds pages to their budgets: bytes over the wire and requests of a
// first visit, headers not counted, as a browser that takes gzip makes them.
func TestPageSizes(t *testing.T) {
	t.Parallel()
	const kilobyte = 1000
	s := newSite(t)
	s.add("ada@example.org", twofactor.Administrator)
	s.add("bob@example.org", twofactor.Member)
	bob := s.signedIn("bob@example.org")
	ada, _, _ := s.enrolled("ada@example.org")
	get, post := "GET", "POST"
	for _, page := range []struct {
		name, method, path string
		browser            *browser
		bytes, requests    int
	}{
		{"the sign-in", get, "/signin", s.browser(), 14 * kilobyte, 3},
		{"the challenge", get, "/signin/two-factor", s.challenged("ada@example.org"), 14 * kilobyte, 3},
		{"My portal", get, "/my", bob, 14 * kilobyte, 3},
		{"the management screen", get, "/my/profile/two-factor", ada, 36 * kilobyte, 5},
		{"a pending enrolment", post, "/my/profile/two-factor/enable", bob, 36 * kilobyte, 5},
		{"the settings", get, "/admin/settings/security", ada, 36 * kilobyte, 5},
		{"people", get, "/admin/people", ada, 36 * kilobyte, 5},
		{"activity", get, "/admin/activity", ada, 36 * kilobyte, 5},
	} {
		t.Run(page.name, func(t *testing.T) {
			html := page.browser.compressedBody(page.method, page.path)
			sum, requests := len(html), 1
			for _, file := range regexp.MustCompile(`(?:href|src)="(/static/[^"]+)"`).
				FindAllStringSubmatch(gunzip(t, html), -1) {
				sum, requests = sum+len(page.browser.compressedBody(get, file[1])), requests+1
			}
			if sum > page.bytes || requests > page.requests {
				t.Errorf("%d bytes in %d requests; the budget is %d in %d", sum, requests, page.bytes, page.requests)
			}
			if next := 5 * kilobyte; page.method == get && len(html) > next {
				t.Errorf("the page alone has %d bytes; the next page of a visit may have %d", len(html), next)
			}
		})
	}
}

// TestStaticFiles follows the files that a page names, and the icon: kept for ever
// under the hash in their name, packed for who takes that, and a question whether
// they have changed is answered without them.
func TestStaticFiles(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.add("ada@example.org", twofactor.Member)
	b := s.signedIn("ada@example.org")
	ask := func(path string, headers ...string) answer {
		r := httptest.NewRequest("GET", path, nil)
		for i := 0; i+1 < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		return b.send(r)
	}
	files := regexp.MustCompile(`(?:href|src)="(/static/[^"]+)"`).
		FindAllStringSubmatch(b.get("/my/profile/two-factor").body, -1)
	if len(files) != 3 {
		t.Fatalf("the page names %d files: %v", len(files), files)
	}
	for _, file := range append(files, []string{"", "/favicon.ico"}) {
		plain, packed := ask(file[1]).wantStatus(200), ask(file[1], "Accept-Encoding", "gzip").wantStatus(200)
		if gunzip(t, []byte(packed.body)) != plain.body || len(packed.body) >= len(plain.body) {
			t.Errorf("%s: %d bytes packed into %d", file[1], len(plain.body), len(packed.body))
		}
		tag, caching := plain.header.Get("ETag"), plain.header.Get("Cache-Control")
		if immutable := caching == "public, max-age=31536000, immutable"; immutable != strings.HasPrefix(file[1],
			"/static/") {
			t.Errorf("%s: Cache-Control %q", file[1], caching)
		}
		if tag == "" || packed.header.Get("ETag") != tag {
			t.Errorf("%s: ETag %q, and %q when packed", file[1], tag, packed.header.Get("ETag"))
		}
		for _, known := range []string{tag, strings.TrimPrefix(tag, "W/"), `"another", ` + tag} {
			if a := ask(file[1], "If-None-Match", known).
				wantStatus(304); a.body != "" || a.header.Get("ETag") != tag || a.header.Get("Cache-Control") != caching {
				t.Errorf("%s: unchanged, with %d bytes and %v", file[1], len(a.body), a.header)
			}
		}
		ask(file[1], "If-None-Match", `W/"another"`).wantStatus(200)
	}
}

// compressedBody returns an answer's body as it goes over the wire.
func (b *browser) compressedBody(method, path string) []byte {
	r := httptest.NewRequest(method, path, nil)
	r.Header.Set("Accept-Encoding", "gzip, deflate, br, zstd")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return []byte(b.send(r).wantStatus(200).body)
}

func gunzip(t *testing.T, body []byte) string {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return string(body) // it was not compressed
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestCompression keeps answers plain that hold a secret, or text that a link
// can carry.
func TestCompression(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.add("ada@example.org", twofactor.Administrator)
	b := s.signedIn("ada@example.org")
	for _, c := range []struct {
		method, path string
		compressed   bool
	}{
		{"GET", "/my", true},
		{"GET", "/my/profile/two-factor", true},
		{"GET", "/admin/people?q=guess", false},
		{"GET", "/my/profile/two-factor?next=/my/profile", false},
		{"POST", "/my/profile/two-factor/enable", false},
	} {
		r := httptest.NewRequest(c.method, c.path, nil)
		r.Header.Set("Accept-Encoding", "gzip")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		a := b.send(r)
		if got := a.header.Get("Content-Encoding") == "gzip"; got != c.compressed {
			t.Errorf("%s %s: compressed %v, want %v", c.method, c.path, got, c.compressed)
		}
		if c.compressed != strings.Contains(strings.Join(a.header.Values("Vary"), ","), "Accept-Encoding") {
			t.Errorf("%s %s: Vary %q", c.method, c.path, a.header.Values("Vary"))
		}
	}
}
