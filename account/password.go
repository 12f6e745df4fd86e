package account

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// The length of a password in characters, after normalising (NIST SP 800-63B-4 section
// 3.1.1.2: at least eight characters, each code point one, and no rules of
// composition).
const (
	PasswordMin = 8
	PasswordMax = 1024
)

// A Password is a new password that has passed the rules. It prints as nothing.
type Password struct {
	normal []byte
}

// String says "[redacted]".
func (Password) String() string { return "[redacted]" }

// GoString says "[redacted]".
func (Password) GoString() string { return "[redacted]" }

// NewPassword checks a new password before any hashing. The context is what a
// guesser tries first: the person's name and address, the workspace's name.
// It refuses with a FieldError of the field named.
func NewPassword(field, typed string, context ...string) (Password, error) {
	if len(typed) > 4*PasswordMax {
		return Password{}, FieldError{Field: field, Reason: TooLong, Limit: PasswordMax}
	}
	normal := NormalizePassword(typed)
	switch {
	case len(normal) == 0:
		return Password{}, FieldError{Field: field, Reason: Missing}
	case utf8.RuneCount(normal) < PasswordMin:
		return Password{}, FieldError{Field: field, Reason: TooShort, Limit: PasswordMin}
	case utf8.RuneCount(normal) > PasswordMax:
		return Password{}, FieldError{Field: field, Reason: TooLong, Limit: PasswordMax}
	case isCommon(string(normal)):
		return Password{}, FieldError{Field: field, Reason: Common}
	case isPersonal(string(normal), context):
		return Password{}, FieldError{Field: field, Reason: Context}
	}
	return Password{normal: normal}, nil
}

// Bytes returns the password as it is hashed.
func (p Password) Bytes() []byte { return p.normal }

// NormalizePassword returns the bytes of a password that are hashed: NFKC, so that the
// same password typed on another keyboard is the same bytes.
func NormalizePassword(typed string) []byte { return norm.NFKC.Bytes([]byte(typed)) }

// ExistingPassword is a password that somebody signs in with, whatever today's
// rules say about it: to hash it again with newer parameters.
func ExistingPassword(typed string) Password { return Password{normal: NormalizePassword(typed)} }

// isPersonal reports whether a password is one of the words that belong to the
// person, with no more than digits and signs around it.
func isPersonal(password string, context []string) bool {
	core := normalizeLetters(password)
	for _, text := range context {
		name, domain, _ := strings.Cut(text, "@")
		words := append([]string{text, name, domain},
			strings.FieldsFunc(text, func(r rune) bool { return !unicode.IsLetter(r) })...)
		for _, word := range words {
			if word = normalizeLetters(word); len(word) >= 3 && (core == word || core == word+word) {
				return true
			}
		}
	}
	return normalizeLetters("gatehouse") == core
}

// normalizeLetters returns the letters alone, in lower case, with the usual disguises (0
// for o, 3 for e, …) undone inside a word.
func normalizeLetters(text string) string {
	text = strings.ToLower(text)
	text = strings.TrimFunc(text, func(r rune) bool { return !unicode.IsLetter(r) && r != '@' && r != '$' })
	text = strings.NewReplacer("0", "o", "1", "i", "3", "e", "4", "a", "5", "s", "7", "t", "@", "a", "$", "s").
		Replace(text)
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) {
			return r
		}
		return -1
	}, text)
}

// isCommon reports whether a password is among what guessers try first: one
// symbol over and over, a run of the keyboard or the alphabet, or a common word
// with digits and signs around it.
func isCommon(password string) bool {
	lower := strings.ToLower(password)
	distinct := map[rune]bool{}
	for _, r := range lower {
		distinct[r] = true
	}
	if len(distinct) < 3 {
		return true
	}
	for _, run := range keyboardRuns {
		if isRepetition(run, lower) || isRepetition(reverse(run), lower) {
			return true
		}
	}
	core := normalizeLetters(password)
	if core == "" {
		return isDate(lower)
	}
	for half := core; ; half = half[:len(half)/2] {
		if commonWords[half] {
			return true
		}
		if len(half)%2 != 0 || len(half) < 6 || half[:len(half)/2] != half[len(half)/2:] {
			return false
		}
	}
}

// isDate reports whether digits alone look like a day, 19991231 or 31121999.
func isDate(text string) bool {
	if len(text) != 8 || strings.Trim(text, "0123456789") != "" {
		return false
	}
	return strings.HasPrefix(text, "19") || strings.HasPrefix(text, "20") || text[4:6] == "19" || text[4:6] == "20"
}

// isRepetition reports whether the text is a piece of the run said over and over.
func isRepetition(run, text string) bool {
	return strings.Contains(strings.Repeat(run, 1+len(text)/len(run)+1), text)
}

func reverse(s string) string {
	r := []rune(s)
	for i, j := 0, len(r)-1; i < j; i, j = i+1, j-1 {
		r[i], r[j] = r[j], r[i]
	}
	return string(r)
}

var keyboardRuns = []string{"0123456789", "1234567890", "abcdefghijklmnopqrstuvwxyz", "qwertyuiop",
	"qwertyuiopasdfghjklzxcvbnm", "qwertzuiop", "qwertzuiopasdfghjklyxcvbnm", "azertyuiop", "asdfghjkl", "zxcvbnm",
	"yxcvbnm", "1qaz2wsx3edc4rfv5tgb6yhn7ujm", "qazwsxedcrfvtgbyhnujm", "1q2w3e4r5t6y7u8i9o0p", "q1w2e3r4t5y6u7i8o9p0",
	"a1b2c3d4e5f6g7h8", "abc123", "123abc", "123qwe", "qwe123", "asd123", "qweasdzxc", "1a2b3c4d5e6f", "147258369",
	"159753", "741852963"}

var commonWords = func() map[string]bool {
	words := map[string]bool{}
	for _, w := range strings.Fields(`password passwort passwd pass passphrase passcode motdepasse contrasena senha parola wachtwoord haslo
		welcome welcomeback willkommen bienvenue letmein letmeinnow login signin logon access secret secrets geheim admin administrator
		adminadmin root rootroot superuser sysadmin user username guest test tester testing testtest testpassword demo sample example default
		changeme changeit changethis newpassword mypassword thepassword password password qwerty qwertz azerty asdf asdfasdf iloveyou
		ilovegod loveyou lovely love lover sunshine princess prinzessin dragon monkey football fussball baseball basketball soccer hockey
		master mastermaster superman batman spiderman starwars pokemon naruto shadow michael jennifer jessica charlie jordan andrew daniel
		ashley thomas robert matthew joshua nicole hannah anthony william amanda samantha alexander alexandra christian christina stephanie
		elizabeth maria marina patrick richard george maggie buster ginger pepper cookie chocolate cheese banana orange apple summer winter
		spring autumn sommer fruehling herbst monday tuesday wednesday thursday friday saturday sunday january february march april june
		july august september october november december whatever trustno trustnoone nothing something internet computer keyboard mouse
		windows linux ubuntu google facebook youtube twitter amazon apple microsoft samsung android iphone killer hunter ranger freedom
		liverpool chelsea arsenal barcelona realmadrid manchester juventus bayern london paris berlin newyork california texas america
		canada germany england mustang ferrari porsche mercedes corvette harley yamaha diamond jordan tigger flower butterfly rainbow
		purple silver golden midnight blessed jesus jesuschrist heaven angel angels family forever friends babygirl babyboy hello helloworld
		hellohello goodmorning goodbye company office business workspace portal server database security secure private abcabc abcdef
		abcdefg abcdefgh aaaaaaaa qwertyui qwertyuiop asdfghjk zxcvbnm zaqxsw correcthorsebatterystaple opensesame alohomora blahblah
		asshole fuckyou fuckme bullshit pussycat matrix phoenix cowboys steelers yankees redsox lakers eagles packers raiders warriors
		dolphin dolphins tiger tigers lion lions bear bears wolf wolves eagle horse snoopy garfield mickey mickeymouse donald scooby`) {
		words[normalizeLetters(w)] = true
	}
	return words
}()
