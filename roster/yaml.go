package roster

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// The part of YAML in which a users database is written: keys and values by their indentation,
// lists, texts with and without quotes, and [a, b] and {a: b} on one line. Every value is a text
// as it stands there. What goes beyond that (anchors and aliases, with which a small file grows
// without bound; tags; texts of several lines) is refused and never guessed at: a library for all
// of YAML weighs ten times as much as this.

type yamlKind int

const (
	yamlNull yamlKind = iota
	yamlText
	yamlList
	yamlMap
)

// A yamlNode is one value.
type yamlNode struct {
	line    int
	kind    yamlKind
	text    string      // of yamlText
	items   []yamlNode  // of yamlList
	entries []yamlEntry // of yamlMap, in the order of the file
}

// A yamlEntry is a key with its value.
type yamlEntry struct {
	line  int
	key   string
	value yamlNode
}

// child returns the value of a key.
func (n yamlNode) child(key string) (yamlNode, bool) {
	for _, e := range n.entries {
		if e.key == key {
			return e.value, true
		}
	}
	return yamlNode{line: n.line}, false
}

// Bounds of what is read.
const (
	yamlDepth  = 16
	yamlMaxKey = 256
)

// A yamlLine is a line that is neither blank nor a comment.
type yamlLine struct {
	number, indent int
	text           string // without indentation, and without blanks at its end
}

// A yamlParser goes through the lines.
type yamlParser struct {
	lines []yamlLine
	at    int
}

// parseYAML reads a file whose outermost value is keys and values; one that is empty has none.
func parseYAML(text string) (yamlNode, *Fault) {
	lines, fault := splitYAML(text)
	if fault != nil {
		return yamlNode{}, fault
	}
	if len(lines) == 0 {
		return yamlNode{kind: yamlMap}, nil
	}
	p := &yamlParser{lines: lines}
	n, fault := p.block(lines[0].indent, 0)
	switch {
	case fault != nil:
		return n, fault
	case p.at < len(lines):
		return n, p.refuse("indentation")
	case n.kind != yamlMap:
		return n, &Fault{Line: n.line, Err: Problem{Kind: NotAMap}}
	}
	return n, nil
}

// refuse is a fault at the present line.
func (p *yamlParser) refuse(what string) *Fault {
	return yamlFault(p.lines[min(p.at, len(p.lines)-1)].number, what)
}

func yamlFault(line int, what string) *Fault {
	return &Fault{Line: line, Err: Problem{Kind: NotPlainYML, Text: what}}
}

// splitYAML divides a file into its lines.
func splitYAML(text string) ([]yamlLine, *Fault) {
	var lines []yamlLine
	began, ended := false, false
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSuffix(line, "\r")
		number := i + 1
		body := strings.TrimLeft(line, " ")
		isComment := body != "" && body[0] == '#'
		if strings.ContainsFunc(line, func(r rune) bool { return isNotYAML(r) && (r != '\t' || !isComment) }) {
			return nil, yamlFault(number, "a tab or a control character")
		}
		if body == "" || isComment {
			continue
		}
		marker, _, _ := strings.Cut(line, " ")
		switch {
		case ended:
			return nil, yamlFault(number, "more than one document")
		case marker == "...":
			if !isYAMLEnd(line[3:]) {
				return nil, yamlFault(number, "more than one document")
			}
			ended = true
			continue
		case marker == "---":
			if began || len(lines) > 0 || !isYAMLEnd(line[3:]) {
				return nil, yamlFault(number, "more than one document")
			}
			began = true
			continue
		case line[0] == '%':
			return nil, yamlFault(number, "a directive")
		}
		lines = append(lines, yamlLine{number: number, indent: len(line) - len(body), text: strings.TrimRight(body, " ")})
	}
	return lines, nil
}

// isNotYAML reports whether a sign may not stand in what we read: YAML forbids it, or takes it
// for the end of a line.
func isNotYAML(r rune) bool {
	return r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u2028' || r == '\u2029' || r == '\ufeff' || r == 0xfffe || r == 0xffff ||
		r == utf8.RuneError
}

// isYAMLEnd reports whether nothing but a comment follows.
func isYAMLEnd(rest string) bool {
	trimmed := strings.TrimLeft(rest, " ")
	return trimmed == "" || trimmed[0] == '#' && len(trimmed) < len(rest)
}

// isItem reports whether a line is an item of a list.
func isItem(text string) bool { return text == "-" || strings.HasPrefix(text, "- ") }

// block reads the list, or the keys and values, that begin at the present line.
func (p *yamlParser) block(indent, depth int) (yamlNode, *Fault) {
	if depth > yamlDepth {
		return yamlNode{}, p.refuse("deep nesting")
	}
	if isItem(p.lines[p.at].text) {
		return p.list(indent, depth)
	}
	return p.mapping(indent, depth)
}

// here reports whether the present line stands at an indentation.
func (p *yamlParser) here(indent int) bool {
	return p.at < len(p.lines) && p.lines[p.at].indent == indent
}

// list reads the items at an indentation.
func (p *yamlParser) list(indent, depth int) (yamlNode, *Fault) {
	n := yamlNode{line: p.lines[p.at].number, kind: yamlList}
	for p.here(indent) && isItem(p.lines[p.at].text) {
		line := &p.lines[p.at]
		rest := strings.TrimLeft(line.text[1:], " ")
		var item yamlNode
		var fault *Fault
		switch _, _, isKey := cutYAMLKey(rest); {
		case rest == "" || rest[0] == '#':
			p.at++
			item, fault = p.nested(indent, line.number, depth)
		case isKey || isItem(rest): // keys, or a list, that begin in the item's own line
			line.indent += len(line.text) - len(rest)
			line.text = rest
			item, fault = p.block(line.indent, depth+1)
		default:
			item, fault = p.value(rest, line.number, indent)
		}
		if fault != nil {
			return n, fault
		}
		n.items = append(n.items, item)
	}
	return n, p.ended(indent)
}

// mapping reads the keys and values at an indentation.
func (p *yamlParser) mapping(indent, depth int) (yamlNode, *Fault) {
	n := yamlNode{line: p.lines[p.at].number, kind: yamlMap}
	seen := map[string]bool{}
	for p.here(indent) && !isItem(p.lines[p.at].text) {
		line := p.lines[p.at]
		key, rest, ok := cutYAMLKey(line.text)
		switch {
		case !ok:
			return n, p.refuse("a line that is no key and value")
		case seen[key]:
			return n, p.refuse("the key " + key + " twice")
		}
		seen[key] = true
		var value yamlNode
		var fault *Fault
		rest = strings.TrimLeft(rest, " ")
		switch {
		case rest != "" && rest[0] != '#':
			value, fault = p.value(rest, line.number, indent)
		case p.at+1 < len(p.lines) && p.lines[p.at+1].indent == indent && isItem(p.lines[p.at+1].text):
			p.at++ // a list may stand as far out as its key
			value, fault = p.list(indent, depth+1)
		default:
			p.at++
			value, fault = p.nested(indent, line.number, depth)
		}
		if fault != nil {
			return n, fault
		}
		n.entries = append(n.entries, yamlEntry{line: line.number, key: key, value: value})
	}
	return n, p.ended(indent)
}

// ended refuses a line that stands farther in than what it follows.
func (p *yamlParser) ended(indent int) *Fault {
	if p.at < len(p.lines) && p.lines[p.at].indent > indent {
		return p.refuse("indentation")
	}
	return nil
}

// nested reads what stands farther in; nothing does where the value is empty.
func (p *yamlParser) nested(indent, line, depth int) (yamlNode, *Fault) {
	if p.at == len(p.lines) || p.lines[p.at].indent <= indent {
		return yamlNode{line: line}, nil
	}
	return p.block(p.lines[p.at].indent, depth+1)
}

// value reads a value that stands on one line, and goes on to the next.
func (p *yamlParser) value(text string, line, indent int) (yamlNode, *Fault) {
	s := yamlScanner{text: text, line: line}
	n, fault := s.value(false, 0)
	if fault != nil {
		return n, fault
	}
	if !isYAMLEnd(s.rest()) {
		return n, yamlFault(line, "text after a value")
	}
	p.at++
	if p.at < len(p.lines) && p.lines[p.at].indent > indent {
		return n, p.refuse("a text of several lines, or indentation")
	}
	return n, nil
}

// cutYAMLKey divides "key: value"; it reports false where there is no key.
func cutYAMLKey(text string) (key, rest string, ok bool) {
	s := yamlScanner{text: text}
	if text != "" && (text[0] == '"' || text[0] == '\'') {
		var fault *Fault
		if key, fault = s.quoted(); fault != nil {
			return "", "", false
		}
		s.skip()
	} else {
		if key, ok = s.plain(false); !ok {
			return "", "", false
		}
		if key == "<<" {
			return "", "", false
		}
	}
	rest, ok = strings.CutPrefix(s.rest(), ":")
	if !ok || rest != "" && rest[0] != ' ' || s.at > yamlMaxKey {
		return "", "", false
	}
	return key, rest, true
}

// A yamlScanner reads values on one line.
type yamlScanner struct {
	text string
	at   int
	line int
}

func (s *yamlScanner) rest() string { return s.text[s.at:] }

func (s *yamlScanner) skip() {
	for s.at < len(s.text) && s.text[s.at] == ' ' {
		s.at++
	}
}

// value reads a value; in a flow it ends at a comma or a bracket.
func (s *yamlScanner) value(flow bool, depth int) (yamlNode, *Fault) {
	n := yamlNode{line: s.line, kind: yamlText}
	if s.at == len(s.text) {
		return n, yamlFault(s.line, "a list that does not end on its line")
	}
	switch s.text[s.at] {
	case '"', '\'':
		var fault *Fault
		n.text, fault = s.quoted()
		return n, fault
	case '[', '{':
		if depth > yamlDepth {
			return n, yamlFault(s.line, "deep nesting")
		}
		return s.flow(depth + 1)
	case '&', '*':
		return n, yamlFault(s.line, "an anchor or an alias")
	case '!':
		return n, yamlFault(s.line, "a tag")
	case '|', '>':
		return n, yamlFault(s.line, "a text of several lines")
	}
	text, ok := s.plain(flow)
	if !ok || strings.HasPrefix(s.rest(), ":") {
		return n, yamlFault(s.line, "a text that needs quotes")
	}
	switch text {
	case "~", "null", "Null", "NULL":
		n.kind = yamlNull
		return n, nil
	}
	n.text = text
	return n, nil
}

// plain reads a text without quotes, up to a comment, or the colon of a key.
func (s *yamlScanner) plain(flow bool) (string, bool) {
	const indicators = ",[]{}#&*!|>'\"%@`"
	rest := s.rest()
	if rest == "" || strings.IndexByte(indicators, rest[0]) >= 0 {
		return "", false
	}
	if strings.IndexByte("-?:", rest[0]) >= 0 &&
		(len(rest) == 1 || rest[1] == ' ' || flow && strings.IndexByte(",[]{}", rest[1]) >= 0) {
		return "", false
	}
	if flow && (rest[0] == '?' || rest[0] == ':') {
		return "", false
	}
	end := len(rest)
	for i := range len(rest) {
		next := byte(' ')
		if i+1 < len(rest) {
			next = rest[i+1]
		}
		if rest[i] == ':' && next == ' ' || rest[i] == '#' && i > 0 && rest[i-1] == ' ' ||
			flow && strings.IndexByte(",[]{}", rest[i]) >= 0 {
			end = i
			break
		}
		if flow && (rest[i] == ':' && strings.IndexByte(",[]{}", next) >= 0 || rest[i] == '?') {
			return "", false // of which readers of YAML think differently
		}
	}
	text := strings.TrimRight(rest[:end], " ")
	s.at += end
	if end < len(rest) && rest[end] == '#' { // the blank before it belongs to the comment
		s.at -= end - len(text)
	}
	return text, text != ""
}

// flow reads [a, b] or {a: b}.
func (s *yamlScanner) flow(depth int) (yamlNode, *Fault) {
	n := yamlNode{line: s.line, kind: yamlList}
	closing := byte(']')
	if s.text[s.at] == '{' {
		n.kind, closing = yamlMap, '}'
	}
	s.at++
	for {
		s.skip()
		if s.at < len(s.text) && s.text[s.at] == closing {
			s.at++
			return n, nil
		}
		key := ""
		if n.kind == yamlMap {
			var fault *Fault
			if key, fault = s.flowKey(n); fault != nil {
				return n, fault
			}
		}
		value, fault := s.value(true, depth)
		if fault != nil {
			return n, fault
		}
		if n.kind == yamlMap {
			n.entries = append(n.entries, yamlEntry{line: s.line, key: key, value: value})
		} else {
			n.items = append(n.items, value)
		}
		s.skip()
		switch {
		case s.at < len(s.text) && s.text[s.at] == ',':
			s.at++
		case s.at == len(s.text) || s.text[s.at] != closing:
			return n, yamlFault(s.line, "a list that does not end on its line")
		}
	}
}

// flowKey reads "a: " inside braces.
func (s *yamlScanner) flowKey(n yamlNode) (string, *Fault) {
	key, rest, ok := "", "", false
	if s.at < len(s.text) && (s.text[s.at] == '"' || s.text[s.at] == '\'') {
		var fault *Fault
		if key, fault = s.quoted(); fault != nil {
			return "", fault
		}
		s.skip()
		ok = true
	} else {
		key, ok = s.plain(true)
	}
	rest, isKey := strings.CutPrefix(s.rest(), ": ")
	_, twice := n.child(key)
	if !ok || !isKey || twice || key == "<<" || rest == "" {
		return "", yamlFault(s.line, "braces without keys and values")
	}
	s.at += 2
	s.skip()
	return key, nil
}

// quoted reads a text in quotes, which ends on its line.
func (s *yamlScanner) quoted() (string, *Fault) {
	quote := s.text[s.at]
	var b strings.Builder
	for i := s.at + 1; i < len(s.text); i++ {
		c := s.text[i]
		switch {
		case c == quote && quote == '\'' && i+1 < len(s.text) && s.text[i+1] == '\'':
			b.WriteByte('\'')
			i++
		case c == quote:
			s.at = i + 1
			return b.String(), nil
		case c == '\\' && quote == '"':
			r, length := unescapeYAML(s.text[i+1:])
			if length == 0 {
				return "", yamlFault(s.line, "a sign after \\ that means nothing")
			}
			b.WriteRune(r)
			i += length
		default:
			b.WriteByte(c)
		}
	}
	return "", yamlFault(s.line, "quotes that do not close on their line")
}

// yamlEscapes are the signs that stand for one after a backslash.
var yamlEscapes = map[byte]rune{
	'"': '"', '\\': '\\', '/': '/', ' ': ' ', 't': '\t', 'n': '\n', 'r': '\r', 'a': '\a', 'b': '\b', 'e': 0x1b, 'f': '\f',
	'v': '\v', '0': 0, 'N': 0x85, '_': 0xa0, 'L': 0x2028, 'P': 0x2029,
}

// unescapeYAML reads what follows a backslash, and how many bytes that are; 0 for nothing.
func unescapeYAML(text string) (rune, int) {
	if text == "" {
		return 0, 0
	}
	digits := map[byte]int{'x': 2, 'u': 4, 'U': 8}[text[0]]
	if digits == 0 {
		r, ok := yamlEscapes[text[0]]
		if !ok {
			return 0, 0
		}
		return r, 1
	}
	if len(text) <= digits {
		return 0, 0
	}
	n, err := strconv.ParseUint(text[1:1+digits], 16, 64)
	r := rune(min(n, utf8.MaxRune+1)) //nolint:gosec // it fits
	if err != nil || !utf8.ValidRune(r) {
		return 0, 0
	}
	return r, 1 + digits
}
