package typed_test

import (
	"testing"

	"gatehouse/typed"
)

func TestEscapeFormula(t *testing.T) {
	for in, want := range map[string]string{
		"":                            "",
		"Ada Lovelace":                "Ada Lovelace",
		"ada-l+x=y@example.org":       "ada-l+x=y@example.org",
		"2030-03-17T17:46:40Z":        "2030-03-17T17:46:40Z",
		"2001:db8::1":                 "2001:db8::1",
		"=1+1":                        "'=1+1",
		"+1":                          "'+1",
		"-1":                          "'-1",
		"@SUM(A1)":                    "'@SUM(A1)",
		"\t=1":                        "' =1",
		"\r\n=1":                      "'  =1",
		"\u3000\u200b=1":              "' \u200b=1",
		`"=1`:                         `'"=1`,
		"＝1+1":                        "'＝1+1",
		"＋1":                          "'＋1",
		"－1":                          "'－1",
		"＠SUM(A1)":                    "'＠SUM(A1)",
		"\u22121":                     "'\u22121",
		"Ada;=1+1":                    "Ada;'=1+1",
		`Ada"; "=1+1`:                 `Ada";' "=1+1`,
		"Ada\t=1+1":                   "Ada =1+1",
		"a;b;＝HYPERLINK(1);@x, -1|+2": "a;b;'＝HYPERLINK(1);'@x,' -1|'+2",
		"a\x00=1":                     "a=1",
	} {
		if got := typed.EscapeFormula(in); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
		if plain := typed.UnescapeFormula(want); plain != typed.Line(in) {
			t.Errorf("%q is read as %q, want %q", want, plain, typed.Line(in))
		}
	}
}

// TestUnescapeFormula leaves alone what a person's own apostrophe begins.
func TestUnescapeFormula(t *testing.T) {
	for in, want := range map[string]string{
		"'t Hooft":    "'t Hooft",
		"O'Connor":    "O'Connor",
		"''=1":        "'=1",
		"'":           "'",
		"a;'b;'+1":    "a;'b;+1",
		"'-Ada; '-1":  "-Ada; '-1",
		"Ada 'the' L": "Ada 'the' L",
	} {
		if got := typed.UnescapeFormula(in); got != want {
			t.Errorf("%q is read as %q, want %q", in, got, want)
		}
	}
}

func TestTableRow(t *testing.T) {
	if got := typed.TableRow("a", `b"c`, "=d", ""); got != "\"a\",\"b\"\"c\",\"'=d\",\"\"\r\n" {
		t.Errorf("%q", got)
	}
}
