package typed

import (
	"strings"
	"unicode"
)

// TableMark is the byte-order mark that tells spreadsheets that a table is UTF-8; without it
// some read names in the code page of the machine.
const TableMark = "\ufeff"

// TableRow returns a row of a table as CSV (RFC 4180), its end included. Every cell is in
// quotes, whatever it holds, and opens no formula.
func TableRow(cells ...string) string {
	quoted := make([]string, 0, len(cells))
	for _, cell := range cells {
		quoted = append(quoted, `"`+strings.ReplaceAll(EscapeFormula(cell), `"`, `""`)+`"`)
	}
	return strings.Join(quoted, ",") + "\r\n"
}

// EscapeFormula keeps a spreadsheet from reading a text as a formula: people choose their
// own names (OWASP, CSV injection). An apostrophe goes before what begins like one. That
// is so at the beginning of the cell, and after each sign that divides cells in some
// locale: a reader of semicolons or tabs finds cells inside ours.
func EscapeFormula(cell string) string {
	var b strings.Builder
	for _, part := range cellParts(Line(cell)) { // tabs and line ends become blanks
		if beginsFormula(part) {
			b.WriteByte('\'')
		}
		b.WriteString(part)
	}
	return b.String()
}

// UnescapeFormula undoes EscapeFormula.
func UnescapeFormula(cell string) string {
	var b strings.Builder
	for _, part := range cellParts(cell) {
		if plain, ok := strings.CutPrefix(part, "'"); ok && beginsFormula(plain) {
			part = plain
		}
		b.WriteString(part)
	}
	return b.String()
}

// cellParts divides a text after each sign that divides cells in some locale.
func cellParts(text string) []string {
	var parts []string
	for text != "" {
		end := strings.IndexAny(text, ";,|:") + 1
		if end == 0 {
			end = len(text)
		}
		parts = append(parts, text[:end])
		text = text[end:]
	}
	return parts
}

// beginsFormula reports whether a text opens a formula once blanks, quotes and signs
// that nobody sees are passed over.
func beginsFormula(text string) bool {
	text = strings.TrimLeftFunc(text, func(r rune) bool {
		return IsBlank(r) || IsInvisible(r) || unicode.In(r, unicode.Quotation_Mark)
	})
	for _, r := range text {
		return strings.ContainsRune("=+-@＝＋－＠﹦﹢﹣﹫−⁺⁻⁼%", r)
	}
	return false
}
