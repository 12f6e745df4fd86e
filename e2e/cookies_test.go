package e2e

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"
)

// TestBrowserWithoutCookies signs in where no cookie arrives: the sign-in says so, with and without a
// second step.
func TestBrowserWithoutCookies(t *testing.T) {
	s := startSite(t)
	s.addPerson(mia, "member")
	upstream, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(upstream); r.Out.Host = r.In.Host },
		ModifyResponse: func(answer *http.Response) error {
			answer.Header.Del("Set-Cookie")
			return nil
		},
	})
	t.Cleanup(proxy.Close)
	lossy := &site{t: t, url: proxy.URL}

	w := &walkthrough{t: t, site: s, script: true, ledger: newLedger()}
	b := openBrowser(t, lossy)
	signIn := func() {
		b.Visit("/my/profile")
		b.Sees("Sign in to continue.")
		w.signIn(b, mia)
		b.Sees("Your browser did not keep the sign-in cookie.", "Allow cookies for this site")
		b.DoesNotSee("expired")
	}
	signIn()

	honest := w.open()
	w.signIn(honest, mia)
	honest.Visit(twoFactorPath)
	w.enrol(honest)
	signIn()
	b.Visit("/signin")
	b.DoesNotSee("cookie")
}
