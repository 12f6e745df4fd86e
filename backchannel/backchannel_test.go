package backchannel

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"
)

// app is a server of an app's that answers in one way, and counts.
func app(t *testing.T, answer http.HandlerFunc) (address, host string, calls *int) {
	t.Helper()
	calls = new(int)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*calls++
		answer(w, r)
	}))
	t.Cleanup(server.Close)
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	return server.URL + "/backchannel", u.Hostname(), calls
}

func TestTell(t *testing.T) {
	var got url.Values
	var kind string
	address, host, _ := app(t, func(_ http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		got, kind = r.PostForm, r.Header.Get("Content-Type")
	})
	if err := New(Timeout).Tell(context.Background(), address, host, "a.b.c"); err != nil {
		t.Fatal(err)
	}
	if got.Get("logout_token") != "a.b.c" || kind != "application/x-www-form-urlencoded" || len(got) != 1 {
		t.Errorf("the app got %v, %s", got, kind)
	}
}

func TestTellInVain(t *testing.T) {
	for status, want := range map[int]bool{200: true, 204: true, 201: false, 400: false, 404: false, 500: false} {
		address, host, _ := app(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
		if err := New(Timeout).Tell(context.Background(), address, host, "x"); (err == nil) != want {
			t.Errorf("status %d: %v", status, err)
		}
	}
	release := make(chan struct{})
	address, host, _ := app(t, func(http.ResponseWriter, *http.Request) { <-release })
	defer close(release)
	if err := New(50*time.Millisecond).Tell(context.Background(), address, host, "x"); err == nil {
		t.Error("an app that never answers has taken it")
	}
}

// TestNoRedirectIsFollowed: an app that was taken over must not make this server call others.
func TestNoRedirectIsFollowed(t *testing.T) {
	other, _, calls := app(t, func(http.ResponseWriter, *http.Request) {})
	for _, status := range []int{301, 302, 303, 307, 308} {
		address, host, _ := app(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other, status) })
		if err := New(Timeout).Tell(context.Background(), address, host, "x"); !errors.Is(err, errAnswer) {
			t.Errorf("status %d: %v", status, err)
		}
	}
	if *calls != 0 {
		t.Error("a redirect was followed")
	}
}

// TestForeignAddresses: not another host, and not where no app is, whatever a name leads to.
func TestForeignAddresses(t *testing.T) {
	for address, host := range map[string]string{
		"http://127.0.0.1:1/x":                "app.example.org",
		"https://app.example.org.evil.test/x": "app.example.org",
		"https://app.example.org@evil.test/x": "app.example.org",
		"file:///etc/passwd":                  "",
		"gopher://app.example.org/x":          "app.example.org",
		"http://user@app.example.org/x":       "app.example.org",
	} {
		if err := New(Timeout).Tell(context.Background(), address, host, "x"); !errors.Is(err, errHost) {
			t.Errorf("%s: %v", address, err)
		}
	}
	for _, host := range []string{"169.254.169.254", "fe80::1", "0.0.0.0", "224.0.0.1", "::ffff:169.254.169.254"} {
		address := "http://" + host + "/latest"
		if host[0] == 'f' || host[0] == ':' {
			address = "http://[" + host + "]/latest"
		}
		if err := New(Timeout).Tell(context.Background(), address, host, "x"); !errors.Is(err, errNetwork) {
			t.Errorf("%s: %v", address, err)
		}
	}
}

// TestNoProxyIsUsed: the environment does not choose who gets to see the tokens.
func TestNoProxyIsUsed(t *testing.T) {
	proxy, _, calls := app(t, func(http.ResponseWriter, *http.Request) {})
	t.Setenv("HTTP_PROXY", proxy)
	t.Setenv("HTTPS_PROXY", proxy)
	_ = New(200*time.Millisecond).Tell(context.Background(), "http://app.invalid/x", "app.invalid", "x")
	if *calls != 0 {
		t.Error("the call went through a proxy")
	}
}
