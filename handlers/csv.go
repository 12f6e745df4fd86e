package handlers

import (
	"encoding/csv"
	"errors"
	"net/http"
	"strings"
	"time"
)

// A table streams rows as CSV.
type table struct {
	v        *visit
	w        *csv.Writer
	deadline func()
	n        int
}

// flushEvery is after how many rows a table is sent on.
const flushEvery = 500

// exportPatience is how long a browser may take for so many rows.
const exportPatience = 30 * time.Second

// newTable begins a download. What goes wrong after that cuts it off: half a
// table must not look whole.
func (s *Server) newTable(v *visit, name string, columns ...string) (*table, error) {
	h := v.w.Header()
	h.Set("Content-Type", "text/csv; charset=utf-8; header=present")
	h.Set("Content-Disposition", `attachment; filename="`+name+"-"+v.now.UTC().Format("2006-01-02")+`.csv"`)
	control := http.NewResponseController(v.w)
	// a recorder has none
	t := &table{
		v:        v,
		w:        csv.NewWriter(v.w),
		deadline: func() { _ = control.SetWriteDeadline(s.now().Add(exportPatience)) },
	}
	t.deadline()
	return t, t.row(columns...)
}

// row writes one row.
func (t *table) row(cells ...string) error {
	for i, cell := range cells {
		cells[i] = harmless(cell)
	}
	if t.n++; t.n%flushEvery == 0 {
		t.w.Flush()
		t.deadline()
	}
	return t.w.Write(cells)
}

// end sends the rest, or breaks the connection off when something went wrong.
func (t *table) end(err error) error {
	t.w.Flush()
	if err = errors.Join(err, t.w.Error()); err != nil {
		panic(http.ErrAbortHandler)
	}
	return nil
}

// harmless keeps a spreadsheet from taking a text for a formula: people choose
// their own names (OWASP, CSV injection).
func harmless(cell string) string {
	if cell != "" && strings.ContainsRune("=+-@\t\r\n", rune(cell[0])) {
		return "'" + cell
	}
	return cell
}

// stamp gives an instant for a table; "" for never.
func stamp(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.UTC().Format(time.RFC3339)
}
