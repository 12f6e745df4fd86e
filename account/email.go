package account

import (
	"net/mail"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"gatehouse/typed"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"
)

// EmailMax is how long an address may be, in characters (RFC 5321 section
// 4.5.3.1.3).
const EmailMax = 254

// domains turns a domain into what stands in the DNS, as browsers do before they
// send an <input type="email"> (UTS 46, non-transitional: "faß.de" is not
// "fass.de").
var domains = idna.New(
	idna.MapForLookup(),
	idna.Transitional(false),
	idna.BidiRule(),
	idna.CheckHyphens(false),
	idna.CheckJoiners(true),
	idna.StrictDomainName(true),
	idna.VerifyDNSLength(true),
)

// sendable is what a browser sends from an <input type="email">: HTML's "valid
// e-mail address", https://html.spec.whatwg.org/#valid-e-mail-address, in lower
// case and after the domain was turned into punycode.
var sendable = regexp.MustCompile("^[a-z0-9.!#$%&'*+/=?^_`{|}~-]+@" +
	`[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$`)

// NormalizeEmail returns a sign-in name as it is stored and looked up: in lower case,
// without blanks around it and without invisible signs, the domain in punycode. What has
// no domain that the DNS could hold keeps it as it is. It returns "", which is nobody's,
// for what is too long or no text.
func NormalizeEmail(text string) string {
	email := plainEmail(text)
	local, domain, ok := cutEmail(email)
	if !ok {
		return email
	}
	ascii, err := domains.ToASCII(domain)
	if err != nil {
		return email
	}
	return withoutInvisible(local) + "@" + ascii
}

// OldNormalizeEmail returns a sign-in name as version 0.2.0 stored it, with the domain as
// typed. Rows that could not be brought to the form of NormalizeEmail, since somebody
// else has that already, are found by it.
func OldNormalizeEmail(text string) string { return plainEmail(text) }

// plainEmail returns an address in lower case, in NFKC, without blanks around it.
func plainEmail(text string) string {
	if len(text) > 8*EmailMax || !utf8.ValidString(text) || strings.ContainsFunc(text, isControl) {
		return ""
	}
	text = strings.TrimFunc(text, func(r rune) bool { return typed.IsBlank(r) || typed.IsInvisible(r) })
	return strings.ToLower(norm.NFKC.String(text))
}

// isControl reports whether a sign is a control character that is no blank.
func isControl(r rune) bool { return unicode.IsControl(r) && !typed.IsBlank(r) }

func withoutInvisible(text string) string {
	return strings.Map(func(r rune) rune {
		if typed.IsInvisible(r) {
			return -1
		}
		return r
	}, text)
}

// cutEmail divides an address at its last @.
func cutEmail(email string) (local, domain string, ok bool) {
	at := strings.LastIndexByte(email, '@')
	if at < 1 || at == len(email)-1 {
		return "", "", false
	}
	return email[:at], email[at+1:], true
}

// ParseEmail checks and normalises a new address, or refuses with a FieldError of
// email: NoBrowser for one that mail could reach and no browser could send.
func ParseEmail(text string) (string, error) {
	email := NormalizeEmail(text)
	if strings.TrimFunc(text, func(r rune) bool { return typed.IsBlank(r) || typed.IsInvisible(r) }) == "" {
		return "", FieldError{Field: "email", Reason: Missing}
	}
	if utf8.RuneCountInString(email) > EmailMax || len(text) > 8*EmailMax {
		return "", FieldError{Field: "email", Reason: TooLong, Limit: EmailMax}
	}
	parsed, err := mail.ParseAddress(email)
	isQuoted := strings.HasPrefix(email, `"`)
	switch {
	case err != nil || parsed.Address != email && !isQuoted:
		return "", FieldError{Field: "email", Reason: NotEmail}
	case !sendable.MatchString(email):
		return "", FieldError{Field: "email", Reason: NoBrowser}
	}
	// An A-label that no Unicode label turns into is no domain.
	_, domain, _ := cutEmail(email)
	if _, err := domains.ToASCII(domain); err != nil {
		return "", FieldError{Field: "email", Reason: NotEmail}
	}
	return email, nil
}

// ShownEmail returns an address as people read it: its domain in Unicode where no label
// can pass for another one, and in punycode otherwise. That is the case when every label
// is Latin with at most its common accents, Chinese or Japanese, or Korean; a script with
// letters that look Latin, such as Cyrillic or Greek, has to be that of the whole domain.
// It follows the rules of browsers in being narrower.
func ShownEmail(email string) string {
	local, domain, ok := cutEmail(email)
	if !ok || !strings.Contains(domain, "xn--") {
		return email
	}
	shown := unicodeDomain(domain)
	if !isPlainDomain(shown) {
		return email
	}
	return local + "@" + shown
}

// unicodeDomain returns a domain in Unicode, or as it is when it cannot be.
func unicodeDomain(domain string) string {
	shown, err := domains.ToUnicode(domain)
	if err != nil {
		return domain
	}
	return shown
}

// families are the scripts whose letters stand together in one label.
var families = []struct {
	scripts   []*unicode.RangeTable
	confusing bool // letters look like Latin ones
}{
	{scripts: []*unicode.RangeTable{unicode.Han, unicode.Hiragana, unicode.Katakana}},
	{scripts: []*unicode.RangeTable{unicode.Hangul}},
	{scripts: []*unicode.RangeTable{unicode.Arabic}},
	{scripts: []*unicode.RangeTable{unicode.Hebrew}},
	{scripts: []*unicode.RangeTable{unicode.Devanagari}},
	{scripts: []*unicode.RangeTable{unicode.Thai}},
	{scripts: []*unicode.RangeTable{unicode.Cyrillic}, confusing: true},
	{scripts: []*unicode.RangeTable{unicode.Greek}, confusing: true},
}

// isPlainDomain reports whether a domain in Unicode reads as one domain only.
func isPlainDomain(domain string) bool {
	labels := strings.Split(domain, ".")
	confusing := 0
	for _, label := range labels {
		if isPlainLatin(label) {
			continue
		}
		i := familyOf(label)
		if i < 0 {
			return false
		}
		if families[i].confusing {
			confusing++
		}
	}
	return confusing == 0 || confusing == len(labels)
}

// isPlainLatin reports whether a label holds ASCII and Latin letters with accents,
// up to U+017F. A dotless i and a kra pass for i and k.
func isPlainLatin(label string) bool {
	return !strings.ContainsFunc(label, func(r rune) bool {
		return r > 0x17f || r == 'ı' || r == 'ĸ' || r > unicode.MaxASCII && !unicode.IsLetter(r)
	})
}

// familyOf returns the family that all letters and marks of a label belong to, or -1.
func familyOf(label string) int {
	for i, f := range families {
		if !strings.ContainsFunc(label, func(r rune) bool {
			if r >= '0' && r <= '9' || r == '-' {
				return false
			}
			return !unicode.In(r, f.scripts...)
		}) {
			return i
		}
	}
	return -1
}
