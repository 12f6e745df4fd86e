package account_test

import (
	"slices"
	"strings"
	"testing"

	"gatehouse/account"
)

func TestWords(t *testing.T) {
	for text, want := range map[string]string{
		"Ada Lovelace":           "ada lovelace",
		"Ángela Núñez":           "angela nunez",
		"O'Connor O’Connor":      "oconnor oconnor",
		"OʼConnor O´Connor":      "oconnor oconnor",
		"Strauß STRAUẞ":          "strauss strauss",
		"Søren Łukasz Ærø Đorđe": "soren lukasz aero dorde",
		"ﬁnn Ⅷ":                  "finn viii",
		"ＡＤＡ　１２":                 "ada 12",
		"ｱﾀﾞ":                    "アタ",
		"Νίκος ΝΙΚΟΣ":            "νικοσ νικοσ",
		"Иван Йован":             "иван иован",
		"İstanbul ısı":           "istanbul isi",
		"山田太郎":                   "山田太郎",
		"٣ ملف":                  "3 ملف",
		"علی\u200cرضا":           "علیرضا",
		"ada.love-lace@x.org":    "ada love lace x org",
		"👩 -- !":                 "",
		"\xffada\x00bo":          "ada bo",
	} {
		if got := strings.Join(account.Words(text), " "); got != want {
			t.Errorf("%q gives %q, want %q", text, got, want)
		}
	}
}

func TestSortKey(t *testing.T) {
	names := []string{"Zoë", "ada", "Émile", "Ángel", "Adam", "O'Neill", "Onassis", "Ｂob", "eva", "Øystein", "Strauß",
		"Strasser", "Straub"}
	slices.SortFunc(names, func(a, b string) int { return strings.Compare(account.SortKey(a), account.SortKey(b)) })
	want := "ada Adam Ángel Ｂob Émile eva Onassis O'Neill Øystein Strasser Straub Strauß Zoë"
	if got := strings.Join(names, " "); got != want {
		t.Errorf("in the order of people:\n%s\nwant\n%s", got, want)
	}
}

func TestEndings(t *testing.T) {
	has := func(endings []string, part string) bool {
		for _, word := range account.SearchWords(part) {
			if !slices.ContainsFunc(endings, func(e string) bool { return strings.HasPrefix(e, word) }) {
				return false
			}
		}
		return true
	}
	endings := account.Endings("山田太郎 Miles O'Connor-Strauß", "miles.long@xn--bcher-kva.example")
	for _, part := range []string{"太郎", "山", "oconnor", "o'CONNOR", "strauss", "Strauß", "trau", "connor", "xample",
		"bücher", "bucher", "miles.long@bücher.example", "xn--bcher-kva", "miles oconnor"} {
		if !has(endings, part) {
			t.Errorf("%q is not found in %q", part, endings)
		}
	}
	for _, part := range []string{"郎太", "oconnors", "harbour"} {
		if has(endings, part) {
			t.Errorf("%q is found", part)
		}
	}
	if !slices.IsSorted(endings) || len(slices.Compact(slices.Clone(endings))) != len(endings) {
		t.Errorf("not in order, or not each once: %q", endings)
	}
	long := account.Endings(strings.Repeat("abcdefghij", 5), "")
	if !has(long, strings.Repeat("abcdefghij", 5)) || !has(long, "efghijabcdefghijabcdefghij") {
		t.Errorf("a long word is not found in %q", long)
	}
	for _, e := range long {
		if len(e) > account.EndingMax {
			t.Errorf("%q is too long", e)
		}
	}
}
