// Package roster reads files with people: tables (CSV), the users database of Authelia, and
// htpasswd. It gives clean rows, and every fault with its line.
//
// It is pure: what it does not know is who is there already, and whether a password's hash
// can be taken over.
package roster

import (
	"path/filepath"
	"regexp"
	"strings"
	"unicode/utf8"

	"gatehouse/twofactor"
	"gatehouse/typed"
)

// MaxSize is how large a file may be, in bytes: a hundred thousand people fit.
const MaxSize = 32 << 20

// A Person is one person of a file.
type Person struct {
	Line     int // where they begin, from 1
	Email    string
	Name     string
	UserName string // "" for one that is made of the address
	Role     twofactor.Role
	Groups   []string // each once, in the order of the file
	Inactive bool     // must not sign in
	Hash     string   // of the password, as the file has it; "" for none

	// Unusable is the user name of the file where it is none that apps take: another one is
	// made of the address.
	Unusable string
}

// A File is what was read.
type File struct {
	Format  Format
	People  []Person
	Ignored []string // columns that mean nothing here
	Faults  []Fault  // by line; with any, nobody is to be added
}

// A Fault says what is wrong in a line: an account.FieldError or a Problem.
type Fault struct {
	Line int
	Err  error
}

// Options are what a file does not say itself.
type Options struct {
	Domain string            // makes an address of a user name that has none; "" to refuse
	Groups map[string]string // other names for groups; "" leaves a group out
	Admins bool              // rows may make administrators
}

// A Format is how a file is written.
type Format string

// The formats.
const (
	CSV      Format = "csv"
	Authelia Format = "authelia"
	Htpasswd Format = "htpasswd"
)

var (
	usersKey     = regexp.MustCompile(`(?m)^users:\s*(#.*)?$`)
	htpasswdLine = regexp.MustCompile(`^[^:,;\t]+:[^:]*$`)
)

// Detect tells the format of a file by its name, and where that says nothing by its text.
func Detect(name, text string) Format {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".csv", ".tsv":
		return CSV
	case ".yml", ".yaml":
		return Authelia
	case ".htpasswd":
		return Htpasswd
	}
	if usersKey.MatchString(text) {
		return Authelia
	}
	for _, line := range strings.Split(typed.WithoutMark(text), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if htpasswdLine.MatchString(line) {
			return Htpasswd
		}
		break
	}
	return CSV
}

// Read reads a file.
func Read(format Format, text string, o Options) File {
	f := File{Format: format}
	if len(text) > MaxSize {
		f.Faults = []Fault{{Line: 1, Err: Problem{Kind: TooLarge}}}
		return f
	}
	text = typed.WithoutMark(text)
	if line := brokenLine(text); line > 0 {
		f.Faults = []Fault{{Line: line, Err: Problem{Kind: NotText}}}
		return f
	}
	var drafts []draft
	switch format {
	case Authelia:
		drafts, f.Faults = readAuthelia(text)
	case Htpasswd:
		drafts, f.Faults = readHtpasswd(text)
	default:
		drafts, f.Ignored, f.Faults = readCSV(text)
	}
	f.check(drafts, o)
	return f
}

// brokenLine returns the first line that is no UTF-8 text; 0 where all are.
func brokenLine(text string) int {
	if utf8.ValidString(text) && !strings.ContainsRune(text, 0) {
		return 0
	}
	for i, line := range strings.Split(text, "\n") {
		if !utf8.ValidString(line) || strings.ContainsRune(line, 0) {
			return i + 1
		}
	}
	return 1
}

// A Problem is a fault that is not one of a field.
type Problem struct {
	Kind ProblemKind
	Text string // what the file has there
	Line int    // of Twice: where it stands first
}

func (p Problem) Error() string { return string(p.Kind) + " " + p.Text }

// A ProblemKind says what a problem is.
type ProblemKind string

// The problems.
const (
	TooLarge    ProblemKind = "too large"
	NotText     ProblemKind = "not UTF-8"
	Empty       ProblemKind = "nobody in it"
	NoEmails    ProblemKind = "no column with addresses"
	ColumnTwice ProblemKind = "a column twice"
	WrongCells  ProblemKind = "another number of cells than the first line"
	WrongQuotes ProblemKind = "quotes that do not close"
	NoUsers     ProblemKind = "no users"
	NotAMap     ProblemKind = "not keys and values"
	NotAText    ProblemKind = "not a text"
	NotPlainYML ProblemKind = "YAML that is not read"
	NoColon     ProblemKind = "no colon"
	NoDomain    ProblemKind = "a user name without an address"
	NotYesNo    ProblemKind = "neither yes nor no"
	NoRole      ProblemKind = "no role"
	AdminRole   ProblemKind = "an administrator's role"
	BadGroup    ProblemKind = "no name of a group"
	OwnGroup    ProblemKind = "a group reserved for a role"
	EmailTwice  ProblemKind = "an address twice"
	NameTwice   ProblemKind = "a user name twice"

	// What only the workspace knows.
	NameTaken  ProblemKind = "a user name of somebody else"
	NoGroup    ProblemKind = "a group that is missing"
	GroupTaken ProblemKind = "a group's former name that apps still know"
)
