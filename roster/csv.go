package roster

import (
	"encoding/csv"
	"errors"
	"io"
	"strings"

	"gatehouse/typed"
)

// columns are the headings that are understood, folded as foldHeading does.
var columns = map[string]string{
	"email": "email", "emailaddress": "email", "mail": "email", "primaryemail": "email",
	"name": "name", "displayname": "name", "fullname": "name",
	"firstname": "first", "givenname": "first",
	"lastname": "last", "familyname": "last", "surname": "last",
	"username": "userName", "login": "userName", "uid": "userName",
	"role":   "role",
	"groups": "groups", "group": "groups",
	"active": "active", "disabled": "disabled", "deactivated": "disabled", "status": "status",
}

// foldHeading makes one of "E-mail address", "email_address" and "EmailAddress".
func foldHeading(text string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(" -_.[]()", r) || typed.IsInvisible(r) {
			return -1
		}
		return r
	}, strings.ToLower(strings.TrimSpace(typed.Line(text))))
}

// A heading is the first line of a table: the column of each thing, from 0.
type heading struct {
	at      map[string]int
	ignored []string
	width   int
}

// readHeading reads the first line.
func readHeading(cells []string) (heading, error) {
	h := heading{at: map[string]int{}, width: len(cells)}
	for i, cell := range cells {
		what, ok := columns[foldHeading(cell)]
		if !ok {
			if name := strings.TrimSpace(typed.Line(cell)); name != "" {
				h.ignored = append(h.ignored, name)
			}
			continue
		}
		if _, twice := h.at[what]; twice {
			return h, Problem{Kind: ColumnTwice, Text: strings.TrimSpace(typed.Line(cell))}
		}
		h.at[what] = i
	}
	if _, ok := h.at["email"]; !ok {
		return h, Problem{Kind: NoEmails}
	}
	return h, nil
}

// separator is what stands between the cells of a table: whichever is most often in its first
// line, outside quotes.
func separator(line string) rune {
	best, most := ',', 0
	for _, r := range ",;\t" {
		n, quoted := 0, false
		for _, c := range line {
			switch {
			case c == '"':
				quoted = !quoted
			case c == r && !quoted:
				n++
			}
		}
		if n > most {
			best, most = r, n
		}
	}
	return best
}

// readCSV reads a table.
func readCSV(text string) (drafts []draft, ignored []string, faults []Fault) {
	skipped := 0
	first, rest, _ := strings.Cut(text, "\n")
	if strings.HasPrefix(strings.ToLower(first), "sep=") { // some spreadsheets say so themselves
		text, skipped = rest, 1
		first, _, _ = strings.Cut(text, "\n")
	}
	r := csv.NewReader(strings.NewReader(text))
	r.Comma, r.FieldsPerRecord = separator(first), -1
	var h heading
	for header := true; ; {
		cells, err := r.Read()
		if errors.Is(err, io.EOF) {
			return drafts, h.ignored, faults
		}
		if wrong, ok := errors.AsType[*csv.ParseError](err); ok {
			faults = append(faults, Fault{Line: wrong.StartLine + skipped, Err: Problem{Kind: WrongQuotes}})
			if header {
				return nil, nil, faults
			}
			continue
		}
		if err != nil || isBlankRow(cells) {
			continue
		}
		line, _ := r.FieldPos(0)
		line += skipped
		if header {
			header = false
			if h, err = readHeading(cells); err != nil {
				return nil, nil, append(faults, Fault{Line: line, Err: err})
			}
			continue
		}
		d, err := h.read(cells)
		if err != nil {
			faults = append(faults, Fault{Line: line, Err: err})
			continue
		}
		d.line = line
		drafts = append(drafts, d)
	}
}

func isBlankRow(cells []string) bool {
	for _, cell := range cells {
		if strings.TrimSpace(cell) != "" {
			return false
		}
	}
	return true
}

// read reads one row. Spreadsheets leave out, or add, empty cells at the end.
func (h heading) read(cells []string) (draft, error) {
	if len(cells) > h.width && !isBlankRow(cells[h.width:]) {
		return draft{}, Problem{Kind: WrongCells}
	}
	cell := func(what string) string {
		i, ok := h.at[what]
		if !ok || i >= len(cells) {
			return ""
		}
		return strings.TrimSpace(typed.UnescapeFormula(cells[i]))
	}
	d := draft{
		email:    cell("email"),
		name:     cell("name"),
		userName: cell("userName"),
		role:     cell("role"),
		groups:   strings.FieldsFunc(cell("groups"), func(r rune) bool { return strings.ContainsRune(",;|", r) }),
	}
	if d.name == "" {
		d.name = strings.TrimSpace(cell("first") + " " + cell("last"))
	}
	var err error
	d.inactive, err = isInactive(cell("active"), cell("disabled"), cell("status"))
	return d, err
}

// isInactive reads the three ways in which a table says that somebody must not sign in.
func isInactive(active, disabled, status string) (bool, error) {
	inactive := false
	if active != "" {
		yes, ok := yesNo(active)
		if !ok {
			return false, Problem{Kind: NotYesNo, Text: active}
		}
		inactive = !yes
	}
	if disabled != "" {
		yes, ok := yesNo(disabled)
		if !ok {
			return false, Problem{Kind: NotYesNo, Text: disabled}
		}
		inactive = inactive || yes
	}
	switch strings.ToLower(status) {
	case "", "active", "enabled", "invited":
	case "inactive", "deactivated", "disabled", "suspended":
		inactive = true
	default:
		return false, Problem{Kind: NotYesNo, Text: status}
	}
	return inactive, nil
}

// Header are the headings of a table that Row writes and Read reads.
var Header = []string{"email", "name", "role", "user_name", "groups", "active"}

// Row returns the cells of somebody in such a table.
func (p Person) Row() []string {
	active := "yes"
	if p.Inactive {
		active = "no"
	}
	return []string{p.Email, p.Name, string(p.Role), p.UserName, strings.Join(p.Groups, ";"), active}
}
