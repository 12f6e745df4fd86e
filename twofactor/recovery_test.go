package twofactor_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"gatehouse/twofactor"
)

const crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

func TestNewRecoveryCodes(t *testing.T) {
	shape := regexp.MustCompile(`^[` + crockford + `]{4}-[` + crockford + `]{4}$`)
	seen, symbols := map[string]bool{}, map[rune]bool{}
	for range 100 {
		codes := twofactor.NewRecoveryCodes()
		if len(codes) != 8 {
			t.Fatalf("a sheet has %d codes", len(codes))
		}
		for _, code := range codes {
			if !shape.MatchString(code.Text()) || strings.ReplaceAll(code.Text(), "-", "") != code.Symbols() {
				t.Errorf("code %q, symbols %q", code.Text(), code.Symbols())
			}
			if seen[code.Symbols()] {
				t.Errorf("code %q came twice", code.Text())
			}
			seen[code.Symbols()] = true
			for _, r := range code.Symbols() {
				symbols[r] = true
			}
			if back, ok := twofactor.NormalizeRecoveryCode(code.Text()); !ok || back.Symbols() != code.Symbols() {
				t.Errorf("code %q is read back as %q", code.Text(), back.Symbols())
			}
		}
	}
	// 6400 symbols lack one of 32 by chance with a probability below 1e-86.
	if len(symbols) != len(crockford) {
		t.Errorf("only %d of %d symbols occur", len(symbols), len(crockford))
	}
}

func TestNormalizeRecoveryCode(t *testing.T) {
	for _, c := range []struct{ name, typed, want string }{
		{"as printed", "8QJX-7KRM", "8QJX7KRM"},
		{"without the hyphen", "8QJX7KRM", "8QJX7KRM"},
		{"in lower case", "8qjx-7krm", "8QJX7KRM"},
		{"with spaces", " 8QJX 7KRM ", "8QJX7KRM"},
		{"with a line break from the clipboard", "8QJX-7KRM\r\n", "8QJX7KRM"},
		{"with a no-break space", "8QJX\u00a07KRM", "8QJX7KRM"},
		{"with a typographic hyphen", "8QJX\u20107KRM", "8QJX7KRM"},
		{"with a no-break hyphen", "8QJX\u20117KRM", "8QJX7KRM"},
		{"with an en dash", "8QJX\u20137KRM", "8QJX7KRM"},
		{"O is 0", "OOOO-oooo", "00000000"},
		{"I and L are 1", "IiLl-IiLl", "11111111"},
		{"full-width", "８ＱＪＸ－７ＫＲＭ", "8QJX7KRM"},
		{"full-width in lower case", "８ｑｊｘ７ｋｒｍ", "8QJX7KRM"},
		{"full-width O and I", "ＯｏＩｉ－ＬｌＯＯ", "00111100"},
		{"with Arabic-Indic digits", "٨QJX-٧KRM", "8QJX7KRM"},
		{"with Persian digits", "۸QJX-۷KRM", "8QJX7KRM"},
		{"with Devanagari digits", "८QJX-७KRM", "8QJX7KRM"},
		{"with a Turkish I", "ıİLL-8QJX", "11118QJX"},
		{"with bidirectional controls", "\u202a8QJX\u200e-\u200f7KRM\u202c", "8QJX7KRM"},
		{"with zero-width signs", "\u200b8QJX-\u2060\u200d7KRM\ufeff", "8QJX7KRM"},
		{"with a soft hyphen", "8QJX\u00ad7KRM", "8QJX7KRM"},
		{"with an ideographic space", "8QJX\u30007KRM", "8QJX7KRM"},
		{"with an em dash and spaces", "8QJX — 7KRM", "8QJX7KRM"},
		{"with a minus sign", "8QJX\u22127KRM", "8QJX7KRM"},
		{"with the dash of a Japanese keyboard", "8QJXー7KRM", "8QJX7KRM"},
		{"in quotes", "„8QJX-7KRM“,", "8QJX7KRM"},
		{"a line of the downloaded file", "1. 8QJX-7KRM", "8QJX7KRM"},
		{"the eighth line, with its end", "8. 8QJX-7KRM\r\n", "8QJX7KRM"},
		{"a line copied from the numbered list", "3.\t8QJX-7KRM", "8QJX7KRM"},
		{"a line with a bracket", "4) 8qjx7krm", "8QJX7KRM"},
		{"a line with both brackets", "(5) 8QJX-7KRM", "8QJX7KRM"},
		{"a line with nothing but a space", "6 8QJX-7KRM", "8QJX7KRM"},
		{"a line without a space", "7.8QJX-7KRM", "8QJX7KRM"},
		{"a full-width line", "２．８ＱＪＸ－７ＫＲＭ", "8QJX7KRM"},
		{"an Arabic line", "\u200f٢. 8QJX-7KRM", "8QJX7KRM"},
		{"a code that begins like a number is whole", "1 8QJX-7KR", "18QJX7KR"},
		{"a ninth line there is not", "9. 8QJX-7KRM", ""},
		{"nor a nought", "0. 8QJX-7KRM", ""},
		{"nor one of two digits", "11. 8QJX-7KRM", ""},
		{"a number that nothing divides is one symbol too many", "18QJX-7KRM", ""},
		{"an invisible sign divides nothing", "1\u200b8QJX-7KRM", ""},
		{"a numbered line of seven symbols is no code", "1. 8QJX-7K", ""},
		{"two lines are no code", "1. 8QJX-7KRM\n2. 8QJX-7KRN", ""},
		{"Cyrillic letters are not ours", "8QJX-7КRМ", ""},
		{"nothing is no code", "", ""},
		{"seven symbols are no code", "8QJX-7KR", ""},
		{"nine symbols are no code", "8QJX-7KRM8", ""},
		{"U is not in the alphabet", "8QJX-7KRU", ""},
		{"a full stop is not either", "8QJX.7KRM", ""},
		{"nor is a letter that only upper case makes ASCII", "8QJX-7\u212aRM", ""},
		{"nor is a long s", "8QJX-7KR\u017f", ""},
		{"nor is a zero byte", "8QJX-7KRM\x00", ""},
		{"nor is invalid UTF-8", "8QJX-7KRM\xff", ""},
		{"nor is the replacement character", "8QJX-7KR\ufffd", ""},
		{"512 bytes are looked at", strings.Repeat(" ", 504) + "8QJX7KRM", "8QJX7KRM"},
		{"513 bytes are not", strings.Repeat(" ", 505) + "8QJX7KRM", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, ok := twofactor.NormalizeRecoveryCode(c.typed)
			if code.Symbols() != c.want || ok != (c.want != "") {
				t.Errorf("%q gives %q, %v, want %q", c.typed, code.Symbols(), ok, c.want)
			}
			if c.want == "" && code.Text() != "" {
				t.Errorf("no code reads %q", code.Text())
			}
		})
	}
}

func FuzzNormalizeRecoveryCode(f *testing.F) {
	for _, seed := range []string{"8QJX-7KRM", "8qjx7krm", " oIlL-0000\r\n", "", "8QJX-7KR", "8QJX-7KRM8", "8QJX-7KRU",
		"8QJX\u20117KRM", "8QJX-7\u212aRM", "\xff8QJX7KRM", "8QJX-7KR\ufffd", strings.Repeat("-", 60) + "8QJX7KRM",
		"1. 8QJX-7KRM", "(5)\t8qjx-7krm", "２．８ＱＪＸ－７ＫＲＭ", "\u200f٢. ٨QJX-٧KRM", "1\u200b8QJX-7KRM",
		"1. 8QJX-7KRM\n2. 8QJX-7KRN", "„8QJX—7KRM“"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		code, ok := twofactor.NormalizeRecoveryCode(typed)
		if !ok {
			if code.Symbols() != "" {
				t.Errorf("%q is refused and gives %q", typed, code.Symbols())
			}
			return
		}
		if len(code.Symbols()) != 8 || strings.Trim(code.Symbols(), crockford) != "" {
			t.Errorf("%q gives %q, which is not of the alphabet", typed, code.Symbols())
		}
		for _, text := range []string{code.Symbols(), code.Text(), strings.ToLower(code.Text()), "1. " + code.Text(),
			"8.\t" + code.Symbols()} {
			if again, ok := twofactor.NormalizeRecoveryCode(text); !ok || again.Symbols() != code.Symbols() {
				t.Errorf("%q gives %q, but %q gives %q", typed, code.Symbols(), text, again.Symbols())
			}
		}
	})
}

func TestNewSheet(t *testing.T) {
	previous := ""
	shape := regexp.MustCompile(`^[A-HJKMNP-TV-Z][2-9]$`)
	for range 2000 {
		sheet := twofactor.NewSheet(previous, noon)
		if sheet.ID == previous {
			t.Fatalf("a new sheet is called %s like the one before", sheet.ID)
		}
		if !shape.MatchString(sheet.ID) || !sheet.MadeAt.Equal(noon) || sheet.Left() != 8 {
			t.Fatalf("the new sheet is %+v", sheet)
		}
		previous = sheet.ID
	}
}

func TestSheetLeft(t *testing.T) {
	var sheet twofactor.Sheet
	for number := range sheet.Used {
		if got := sheet.Left(); got != 8-number {
			t.Errorf("%d codes left after %d were used", got, number)
		}
		sheet.Used[number] = true
	}
	if sheet.Left() != 0 {
		t.Error("an empty sheet has codes left")
	}
}

func TestRedeem(t *testing.T) {
	later := noon.Add(time.Hour)
	for number := range 8 {
		e := enabled(t)
		want := e
		want.Sheet.Used[number] = true
		if err := e.Redeem(number); err != nil {
			t.Fatalf("code %d: %v", number, err)
		}
		requireEqual(t, e, want)
		if err := e.Redeem(number); err != twofactor.ErrWrongRecovery {
			t.Errorf("code %d a second time: %v", number, err)
		}
		requireEqual(t, e, want)
		if err := e.Regenerate(twofactor.Sheet{
			ID:     "M4",
			MadeAt: later,
		}); err != nil || e.Sheet.Left() != 8 || e.Sheet.ID != "M4" || !e.Sheet.MadeAt.Equal(later) {
			t.Errorf("after regenerating: %v, %+v", err, e.Sheet)
		}
	}
	for _, number := range []int{-1, 8, 9, -1 << 63, 1<<63 - 1} {
		e := enabled(t)
		if err := e.Redeem(number); err != twofactor.ErrWrongRecovery {
			t.Errorf("code number %d: %v", number, err)
		}
		requireEqual(t, e, enabled(t))
	}
}

func TestKindOf(t *testing.T) {
	for text, want := range map[string]twofactor.CodeKind{
		"123456":         twofactor.CodeOfApp,
		" 123 456\n":     twofactor.CodeOfApp,
		"١٢٣٤٥٦":         twofactor.CodeOfApp,
		"K89H-2XCJ":      twofactor.CodeOfRecovery,
		"3. k89h 2xcj":   twofactor.CodeOfRecovery,
		"1234-5678":      twofactor.CodeOfRecovery,
		"":               twofactor.CodeOfNothing,
		"12345":          twofactor.CodeOfNothing,
		"1234567":        twofactor.CodeOfNothing,
		"K89H-2XC":       twofactor.CodeOfNothing,
		"123456 789012":  twofactor.CodeOfNothing,
		"my cat is grey": twofactor.CodeOfNothing,
	} {
		if got := twofactor.KindOf(text); got != want {
			t.Errorf("%q is of kind %d, want %d", text, got, want)
		}
	}
}
