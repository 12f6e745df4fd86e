package handlers

import (
	"bytes"
	"mime/multipart"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"
)

// broken is what no text holds, in the middle of one.
const broken = "a\x00\xff\xc3é\xed\xa0\x80b"

func TestFormsAndAddressesAreText(t *testing.T) {
	fields := url.Values{"name": {broken, broken}, "session": {broken}, "next": {"/my?q=" + broken}, "password": {broken}, "new_password": {broken}}
	var body bytes.Buffer
	parts := multipart.NewWriter(&body)
	for name, list := range fields {
		for _, value := range list {
			if err := parts.WriteField(name, value); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := parts.Close(); err != nil {
		t.Fatal(err)
	}
	for kind, text := range map[string]string{"application/x-www-form-urlencoded": fields.Encode(), parts.FormDataContentType(): body.String()} {
		r := httptest.NewRequest("POST", "/my?q=a%00%ffb", strings.NewReader(text))
		r.Header.Set("Content-Type", kind)
		cleanQuery(r)
		if err := readForm(r); err != nil {
			t.Fatal(err)
		}
		if got := r.FormValue("q") + " " + r.URL.Query().Get("q"); got != "ab ab" {
			t.Errorf("the address says %q", got)
		}
		for name, list := range r.PostForm {
			for _, value := range list {
				want := "aéb"
				switch {
				case strings.Contains(name, "password"):
					want = broken
				case name == "next":
					want = "/my?q=aéb"
				}
				if value != want || len(list) != len(fields[name]) {
					t.Errorf("%s: %s is %q, want %q", kind, name, value, want)
				}
			}
		}
	}
}

func TestBrokenAddressesAreNotGoneOnTo(t *testing.T) {
	for _, next := range []string{"/my?q=\xff", "/my\xc3", "/my?q=a\x00b"} {
		if got := localPath(next); got != "" {
			t.Errorf("%q leads to %q", next, got)
		}
	}
	if got := localPath("/my?q=é"); !utf8.ValidString(got) || got == "" {
		t.Errorf("got %q", got)
	}
}
