package handlers

import (
	"errors"
	"io"
	"mime"
	"net/http"

	"gatehouse/account"
	"gatehouse/db"
	"gatehouse/views"
)

// readForm reads the form that was posted, once for each request, before anything is
// decided. It returns errTooLarge, or errBadForm for whatever is no whole form: part of
// one could turn a setting off, since an unticked checkbox is not sent.
func readForm(r *http.Request) error {
	err := parseForm(r)
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return errTooLarge
	case err != nil:
		return errBadForm
	}
	cleanForm(r)
	return nil
}

func parseForm(r *http.Request) error {
	header := r.Header.Get("Content-Type")
	if header == "" {
		return emptyBody(r) // scripts post actions that take no field
	}
	kind, _, err := mime.ParseMediaType(header)
	if err != nil {
		return err
	}
	switch kind {
	case "multipart/form-data":
		return r.ParseMultipartForm(bodyLimit)
	case "application/x-www-form-urlencoded":
		return r.ParseForm()
	}
	return errBadForm
}

// seen reads from the form what it showed. It returns errBadForm for a field that is not
// whole, and the zero Seen for a form without it.
func (rc *requestContext) seen() (account.Seen, error) {
	given := rc.r.PostForm["seen"]
	if len(given) == 0 {
		return account.Seen{}, nil
	}
	seen, ok := account.ParseSeen(given[0])
	if !ok || len(given) > 1 {
		return account.Seen{}, errBadForm
	}
	return seen, nil
}

// checkbox reports whether a checkbox is ticked: browsers send it once with its value, or
// not at all. It returns errBadForm for anything else, which may be what is left of a tick.
func (rc *requestContext) checkbox(name string) (bool, error) {
	given := rc.r.PostForm[name]
	if len(given) > 1 || len(given) == 1 && given[0] == "" {
		return false, errBadForm
	}
	return len(given) == 1, nil
}

// formVersion is what a form carries whose fields stand so now.
func (rc *requestContext) formVersion(version account.Version) string {
	return account.Seen{Version: version, At: rc.now}.String()
}

// viewChanges returns the store's rows as an outdated form tells of them.
func viewChanges(rows []db.ActivityRow) []views.Change {
	var out []views.Change
	for _, row := range rows {
		out = append(out, views.Change{
			At:   row.At,
			By:   row.Actor,
			Text: views.EventText(row.Event, row.OK, row.Method, row.Detail),
		})
	}
	return out
}

// emptyBody takes a body without a type for a form without fields if it is empty: nobody
// can tell what else it is.
func emptyBody(r *http.Request) error {
	_, err := io.ReadFull(r.Body, make([]byte, 1))
	if !errors.Is(err, io.EOF) {
		return errors.Join(errBadForm, err)
	}
	return r.ParseForm()
}
