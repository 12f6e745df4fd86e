package handlers_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"gatehouse/db/dbtest"
	"gatehouse/twofactor"
)

// FuzzCookies looks for a Cookie header that opens a page, or that the server
// cannot bear.
func FuzzCookies(f *testing.F) {
	for _, seed := range []string{"", "gatehouse=", "gatehouse=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		"gatehouse=a; gatehouse=b", `gatehouse="x"`, "gatehouse-challenge=x; gatehouse-browser=y",
		"__Host-gatehouse=x", "gatehouse=%00", "gatehouse=' OR 1=1 --", "=;=;=", "gatehouse",
		strings.Repeat("gatehouse=x; ", 100)} {
		f.Add(seed)
	}
	t := testing.TB(f)
	s := fuzzSite(t)
	f.Fuzz(func(t *testing.T, cookie string) {
		for _, path := range []string{"/my", "/signin/two-factor", "/signin"} {
			r := httptest.NewRequest(http.MethodGet, path, nil)
			r.Header.Set("Cookie", cookie)
			w := httptest.NewRecorder()
			s.server.ServeHTTP(w, r)
			if want := map[bool]int{
				true:  http.StatusOK,
				false: http.StatusSeeOther,
			}[path == "/signin"]; w.Code != want {
				t.Fatalf("%q on %s: status %d", cookie, path, w.Code)
			}
		}
	})
}

// FuzzForms sends bodies of every kind to a form: they are refused or taken, and
// never a fault.
func FuzzForms(f *testing.F) {
	for _, seed := range [][2]string{{"application/x-www-form-urlencoded", "workspace=Acme"},
		{"application/x-www-form-urlencoded", "workspace=%00%ff&workspace=x"},
		{"application/x-www-form-urlencoded", "%zz"},
		{"multipart/form-data; boundary=b",
			"--b\r\nContent-Disposition: form-data; name=\"workspace\"\r\n\r\nx\r\n--b--\r\n"},
		{"multipart/form-data", "x"}, {"application/json", "{}"}, {"", "x"}, {"text/plain;;;", "a=b"},
		{"application/x-www-form-urlencoded", "workspace=<script>alert(1)</script>"},
		{"application/x-www-form-urlencoded", "a;b&c=d=e"}} {
		f.Add(seed[0], seed[1])
	}
	t := testing.TB(f)
	s := fuzzSite(t)
	token := s.signedInTB(t, "root@example.org")
	f.Fuzz(func(t *testing.T, kind, body string) {
		r := httptest.NewRequest(http.MethodPost, "/admin/settings/general", strings.NewReader(body))
		r.Header.Set("Content-Type", kind)
		r.AddCookie(&http.Cookie{Name: "gatehouse", Value: token})
		w := httptest.NewRecorder()
		s.server.ServeHTTP(w, r)
		switch w.Code {
		case http.StatusOK, http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
		default:
			t.Fatalf("%q as %q: status %d", body, kind, w.Code)
		}
		if strings.Contains(w.Body.String(), "<script>alert") {
			t.Fatalf("%q came back unescaped", body)
		}
	})
}

// fuzzSite is a site for a fuzz target, which is no *testing.T.
func fuzzSite(t testing.TB) *site {
	t.Helper()
	s := openSite(t, dbtest.Open(t))
	dbtest.Add(t, s.store, "root@example.org", twofactor.SuperAdmin)
	return s
}

// signedInTB returns the token of a session.
func (s *site) signedInTB(t testing.TB, email string) string {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, "/signin",
		strings.NewReader("email="+email+"&password="+strings.ReplaceAll(dbtest.Password, " ", "+")))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	s.server.ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		if c.Name == "gatehouse" {
			return c.Value
		}
	}
	t.Fatalf("no session: status %d", w.Code)
	return ""
}
