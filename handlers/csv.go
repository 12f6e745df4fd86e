package handlers

import (
	"bufio"
	"errors"
	"net/http"
	"strings"
	"time"
	"unicode"

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

// byteOrderMark tells spreadsheets that what follows is UTF-8; without it some read
// names in the code page of the machine.
const byteOrderMark = "\ufeff"

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
	if _, err := t.w.WriteString(byteOrderMark); err != nil {
		return t, err
	}
	return t, t.writeRow(columns...)
}

// writeRow writes one row. Every cell is in quotes, whatever it holds.
func (t *csvTable) writeRow(cells ...string) error {
	quoted := make([]string, 0, len(cells))
	for _, cell := range cells {
		quoted = append(quoted, `"`+strings.ReplaceAll(escapeFormula(cell), `"`, `""`)+`"`)
	}
	if _, err := t.w.WriteString(strings.Join(quoted, ",") + "\r\n"); err != nil {
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

// escapeFormula keeps a spreadsheet from reading a text as a formula: people choose their
// own names (OWASP, CSV injection). An apostrophe goes before what begins like one. That
// is so at the beginning of the cell, and after each sign that divides cells in some
// locale: a reader of semicolons or tabs finds cells inside ours.
func escapeFormula(cell string) string {
	cell = typed.Line(cell) // tabs and line ends become blanks
	var b strings.Builder
	for rest := cell; rest != ""; {
		if beginsFormula(rest) {
			b.WriteByte('\'')
		}
		end := strings.IndexAny(rest, ";,|:") + 1
		if end == 0 {
			end = len(rest)
		}
		b.WriteString(rest[:end])
		rest = rest[end:]
	}
	return b.String()
}

// beginsFormula reports whether a text opens a formula once blanks, quotes and signs
// that nobody sees are passed over.
func beginsFormula(text string) bool {
	text = strings.TrimLeftFunc(text, func(r rune) bool {
		return typed.IsBlank(r) || typed.IsInvisible(r) || unicode.In(r, unicode.Quotation_Mark)
	})
	for _, r := range text {
		return strings.ContainsRune("=+-@＝＋－＠﹦﹢﹣﹫−⁺⁻⁼%", r)
	}
	return false
}

// formatInstant returns an instant for a table; "" for never.
func formatInstant(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.UTC().Format(time.RFC3339)
}
