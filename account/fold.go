package account

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"gatehouse/typed"

	"golang.org/x/text/unicode/norm"
)

// EndingMax is how many letters of a word are looked at when searching.
const EndingMax = 16

// plainLetters are the letters whose plain form Unicode does not know.
var plainLetters = strings.NewReplacer("ß", "ss", "æ", "ae", "œ", "oe", "ø", "o", "đ", "d", "ð", "d", "ł", "l", "þ",
	"th",
	"ħ", "h", "ı", "i", "ŋ", "n", "ŧ", "t", "ς", "σ")

// Words returns the words of a text as they are searched for and ordered by: in lower
// case, without accents, without the apostrophes inside, letters of any width and digits
// of any script in their plain form. "O'Connor-Strauß" is oconnor, strauss.
func Words(text string) []string {
	var words []string
	var word strings.Builder
	finish := func() {
		if word.Len() > 0 {
			words = append(words, word.String())
			word.Reset()
		}
	}
	for _, r := range foldCase(text) {
		if value, ok := typed.Digit(r); ok {
			r = rune('0' + value)
		}
		switch {
		case isApostrophe(r) || unicode.Is(unicode.Mn, r) || unicode.Is(unicode.Me, r) || typed.IsInvisible(r):
		case unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r):
			word.WriteRune(r)
		default:
			finish()
		}
	}
	finish()
	return words
}

// foldCase returns a text in lower case and decomposed, so that accents are signs of
// their own.
func foldCase(text string) string {
	text = strings.ReplaceAll(strings.ToValidUTF8(text, " "), "´", "'") // it would decompose to a blank and an accent
	decomposed := norm.NFKD.String(text)
	return plainLetters.Replace(strings.ToLower(decomposed))
}

func isApostrophe(r rune) bool { return strings.ContainsRune("'`´‘’‛ʻʼʽ′", r) }

// SortKey returns what a name is ordered by: its words. Names without a letter come
// first.
func SortKey(name string) string { return strings.Join(Words(name), " ") }

// PersonWords returns the words that somebody with this name and address is found by.
func PersonWords(name, email string) []string {
	_, domain, _ := cutEmail(email)
	if strings.Contains(domain, "xn--") {
		email += " " + unicodeDomain(domain)
	}
	return Words(name + " " + email)
}

// Endings returns every ending of every word of somebody's name and address, in order and
// each once, cut at EndingMax letters. A search for any part of a word is a search for
// the beginning of an ending.
func Endings(name, email string) []string {
	var endings []string
	for _, word := range PersonWords(name, email) {
		for i := range word {
			endings = append(endings, cutWord(word[i:]))
		}
	}
	slices.Sort(endings)
	return slices.Compact(endings)
}

// FirstEnding returns the first of the words' endings, in their order, that begins like
// this; "" when none does.
func FirstEnding(words []string, beginning string) string {
	first := ""
	for _, word := range words {
		for i := range word {
			if !strings.HasPrefix(word[i:], beginning) {
				continue
			}
			if ending := cutWord(word[i:]); first == "" || ending < first {
				first = ending
			}
		}
	}
	return first
}

// SearchWords returns the words of a search, each cut at EndingMax letters; none for a
// search without a letter.
func SearchWords(search string) []string {
	const longest = 400 // bytes: more than a name and an address hold
	if len(search) > longest {
		search = search[:longest]
	}
	words := Words(search)
	for i, word := range words {
		words[i] = cutWord(word)
	}
	return words
}

// HasWords reports whether a text has every word of a search as a part of a word of its.
func HasWords(text string, words []string) bool {
	if len(words) == 0 {
		return true
	}
	own := Words(text)
	for _, word := range words {
		if FirstEnding(own, word) == "" {
			return false
		}
	}
	return true
}

// cutWord cuts a word at EndingMax letters.
func cutWord(word string) string {
	n := 0
	for i := range word {
		if n == EndingMax {
			return word[:i]
		}
		n++
	}
	return word
}

// AfterAll returns a text that comes after every word that begins like this one, in the
// order of bytes.
func AfterAll(beginning string) string { return beginning + string(utf8.MaxRune) }
