package cli

import (
	"bufio"
	"io"
	"strings"
	"testing"
)

func TestPipedPassword(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"a line":                          {"correct horse\n", "correct horse"},
		"without an end":                  {"correct horse", "correct horse"},
		"with the end of Windows":         {"correct horse\r\n", "correct horse"},
		"the first of two":                {"correct horse\nbattery\n", "correct horse"},
		"blanks belong to it":             {"  correct horse \n", "  correct horse "},
		"after a byte-order mark":         {"\ufeffcorrect horse\r\n", "correct horse"},
		"of a mark alone":                 {"\ufeff\n", ""},
		"nothing":                         {"", ""},
		"an empty line":                   {"\n", ""},
		"UTF-16 of PowerShell":            {"\xff\xfek\x00\xe9\x00\x0a\x0a\r\x00\n\x00x\x00", "ké\u0a0a"},
		"UTF-16, the other way round":     {"\xfe\xff\x00k\x00\xe9\x00\n", "ké"},
		"UTF-16 without an end":           {"\xff\xfek\x00\xe9\x00", "ké"},
		"a mark inside belongs to it":     {"a\ufeffb\n", "a\ufeffb"},
		"letters beside ASCII":            {"pässwörter 鍵\n", "pässwörter 鍵"},
		"one that begins like a mark":     {"\uffeek\n", "\uffeek"},
		"refused: Latin-1":                {"p\xe4sswort\n", "refused"},
		"refused: UTF-16 without a mark":  {"k\x00a\x00\n\x00", "refused"},
		"refused: a lone byte like marks": {"\xff\n", "refused"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := pipedPassword(bufio.NewReader(strings.NewReader(c.in)))
			if err != nil {
				got = "refused"
			}
			if got != c.want {
				t.Errorf("%q gives %q, want %q", c.in, got, c.want)
			}
		})
	}
}

// TestPipedPasswordTakesALine holds that nothing waits for the end of the input
// once a line has come: whoever pipes may keep the pipe open.
func TestPipedPasswordTakesALine(t *testing.T) {
	input, out := io.Pipe()
	defer out.Close()
	go func() { _, _ = out.Write([]byte("k\n")) }()
	if got, err := pipedPassword(bufio.NewReader(input)); got != "k" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}
