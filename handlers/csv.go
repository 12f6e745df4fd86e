package handlers

import (
	"bufio"
	"errors"
	"net/http"
	"time"

	"gatehouse/typed"
)

// A csvTable streams rows as CSV (RFC 4180).
type csvTable struct {
	w        *bufio.Writer
	deadline func()
	n        int
}

// flushInterval is after how many rows a table is sent on.
const flushInterval = 500

// exportTimeout is how long a browser may take for so many rows.
const exportTimeout = 30 * time.Second

// startCSV begins a download. An error after that aborts it: half a table must not look
// complete.
func (s *Server) startCSV(rc *requestContext, name string, columns ...string) (*csvTable, error) {
	h := rc.w.Header()
	h.Set("Content-Type", "text/csv; charset=utf-8; header=present")
	h.Set("Content-Disposition", `attachment; filename="`+name+"-"+rc.now.UTC().Format("2006-01-02")+`.csv"`)
	control := http.NewResponseController(rc.w)
	t := &csvTable{
		w:        bufio.NewWriter(rc.w),
		deadline: func() { _ = control.SetWriteDeadline(s.now().Add(exportTimeout)) }, // test recorders have none
	}
	t.deadline()
	if _, err := t.w.WriteString(typed.TableMark); err != nil {
		return t, err
	}
	return t, t.writeRow(columns...)
}

// writeRow writes one row.
func (t *csvTable) writeRow(cells ...string) error {
	if _, err := t.w.WriteString(typed.TableRow(cells...)); err != nil {
		return err
	}
	if t.n++; t.n%flushInterval == 0 {
		t.deadline()
		return t.w.Flush()
	}
	return nil
}

// finish sends the rest, or aborts the connection after an error.
func (t *csvTable) finish(err error) error {
	if err = errors.Join(err, t.w.Flush()); err != nil {
		panic(http.ErrAbortHandler)
	}
	return nil
}

// formatInstant returns an instant for a table; "" for never.
func formatInstant(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.UTC().Format(time.RFC3339)
}
