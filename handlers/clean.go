package handlers

import (
	"net/http"
	"net/url"
	"strings"
)

// cleanQuery takes out of an address's query what is no text: NUL and broken UTF-8,
// which no database but SQLite takes. What is left is what the page shows as typed.
func cleanQuery(r *http.Request) {
	if r.URL.RawQuery == "" {
		return
	}
	query := r.URL.Query()
	if cleanValues(query) {
		r.URL.RawQuery = query.Encode()
	}
}

// cleanForm does the same for a form that was read.
func cleanForm(r *http.Request) {
	cleanValues(r.Form)
	cleanValues(r.PostForm)
	if r.MultipartForm != nil {
		cleanValues(r.MultipartForm.Value)
	}
}

// cleanValues cleans every field but passwords, which are compared as they were typed
// and stored nowhere. It reports whether there was anything to clean.
func cleanValues(values url.Values) (changed bool) {
	for name, list := range values {
		if strings.Contains(name, "password") {
			continue
		}
		for i, value := range list {
			list[i] = cleanText(value)
			changed = changed || list[i] != value
		}
	}
	return changed
}

// cleanText gives a text without NUL and broken UTF-8.
func cleanText(text string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(text, ""), "\x00", "")
}
