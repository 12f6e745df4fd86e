package twofactor

import (
	"crypto/rand"
	"fmt"
	"log/slog"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"gatehouse/typed"
)

const (
	// RecoveryCodes is how many codes a sheet has.
	RecoveryCodes = 8

	// recoverySymbols is the length of a code without its hyphen: 8 symbols of
	// 5 bits, so 40 bits. NIST SP 800-63B calls it a look-up secret.
	recoverySymbols = 8

	// crockford is Crockford's base 32: no I, L, O or U, which are misread.
	crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
)

// A RecoveryCode signs somebody in once without the phone. Its text is the
// eight symbols without the hyphen. Printing it says "[redacted]". Codes cannot
// be compared with ==.
type RecoveryCode struct {
	symbols func() string // a function, as in Secret
}

// NewRecoveryCodes mints a sheet's codes, all different.
func NewRecoveryCodes() [RecoveryCodes]RecoveryCode {
	var codes [RecoveryCodes]RecoveryCode
	seen := map[string]bool{}
	for i := range codes {
		for codes[i].symbols == nil || seen[codes[i].Symbols()] {
			codes[i] = recoveryCode(randomSymbols())
		}
		seen[codes[i].Symbols()] = true
	}
	return codes
}

// randomSymbols needs no modulo: 256 is a multiple of the alphabet's 32.
func randomSymbols() string {
	raw := make([]byte, recoverySymbols)
	rand.Read(raw)
	for i, b := range raw {
		raw[i] = crockford[b&31]
	}
	return string(raw)
}

func recoveryCode(symbols string) RecoveryCode {
	return RecoveryCode{symbols: func() string { return symbols }}
}

// NormalizeRecoveryCode takes a code as people type or paste it: in lower case,
// with or without the hyphen, with O for 0 or I and L for 1, full-width, with
// digits of another script, and with blanks, dashes and invisible signs anywhere.
// A line of a sheet may keep its number, as in "1. K89H-2XCJ". It reports false
// when the text cannot be one code.
func NormalizeRecoveryCode(text string) (RecoveryCode, bool) {
	text = trimTyped(text)
	if symbols, ok := readSymbols(text); ok {
		return recoveryCode(symbols), true
	}
	if symbols, ok := readSymbols(withoutNumber(text)); ok {
		return recoveryCode(symbols), true
	}
	return RecoveryCode{}, false
}

// A CodeKind is what a text can be that somebody types to pass the second step.
type CodeKind int

// The kinds. No text is of two of them.
const (
	CodeOfNothing  CodeKind = iota // neither of the others
	CodeOfApp                      // six digits
	CodeOfRecovery                 // eight symbols, from a sheet
)

// KindOf tells which kind of code a text is, whichever field it was typed into.
func KindOf(text string) CodeKind {
	if NormalizeCode(text) != "" {
		return CodeOfApp
	}
	if _, ok := NormalizeRecoveryCode(text); ok {
		return CodeOfRecovery
	}
	return CodeOfNothing
}

// readSymbols returns the eight symbols of a code, or reports false.
func readSymbols(text string) (string, bool) {
	var b strings.Builder
	for _, r := range text {
		if isFiller(r) {
			continue
		}
		symbol := readSymbol(r)
		if symbol == 0 || b.Len() == recoverySymbols {
			return "", false
		}
		b.WriteByte(symbol)
	}
	return b.String(), b.Len() == recoverySymbols
}

// readSymbol returns the symbol of the alphabet that a sign stands for, or 0.
func readSymbol(r rune) byte {
	if value, ok := typed.Digit(r); ok {
		return crockford[value]
	}
	r = typed.ASCII(r)
	if r >= 'a' && r <= 'z' {
		r -= 'a' - 'A'
	}
	switch r {
	case 'O':
		return '0'
	case 'I', 'L', 'ı', 'İ': // Turkish keyboards have an I of their own
		return '1'
	}
	if r < 0x80 && strings.IndexByte(crockford, byte(r)) >= 0 {
		return byte(r)
	}
	return 0
}

// withoutNumber cuts off the number that a line of a sheet begins with, from 1 to 8,
// together with what divides it from the code. It returns "" for any other text: a digit
// that nothing divides from the rest is no number.
func withoutNumber(text string) string {
	number, length := utf8.DecodeRuneInString(text)
	if value, ok := typed.Digit(number); !ok || value < 1 || value > RecoveryCodes {
		return ""
	}
	rest := text[length:]
	code := strings.TrimLeftFunc(rest, func(r rune) bool { return isFiller(r) || unicode.IsPunct(r) })
	divided := strings.ContainsFunc(rest[:len(rest)-len(code)], func(r rune) bool { return !typed.IsInvisible(r) })
	if !divided {
		return ""
	}
	return code
}

// Symbols returns the code without its hyphen, for hashing; "" of the zero code.
func (c RecoveryCode) Symbols() string {
	if c.symbols == nil {
		return ""
	}
	return c.symbols()
}

// Text returns the code as it is shown once: XXXX-XXXX; "" of the zero code.
func (c RecoveryCode) Text() string {
	symbols := c.Symbols()
	if symbols == "" {
		return ""
	}
	return symbols[:4] + "-" + symbols[4:]
}

// String says "[redacted]".
func (RecoveryCode) String() string { return redacted }

// Format says "[redacted]" for every verb that fmt asks it about.
func (RecoveryCode) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// MarshalJSON says "[redacted]".
func (RecoveryCode) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// MarshalText says "[redacted]".
func (RecoveryCode) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue says "[redacted]".
func (RecoveryCode) LogValue() slog.Value { return slog.StringValue(redacted) }

// A Sheet is a set of recovery codes as far as it may be told after the codes
// were shown: which one it is and what is left of it.
type Sheet struct {
	ID     string    // short, to be recognised on paper: K7
	MadeAt time.Time // when the codes were shown
	Used   [RecoveryCodes]bool
}

// NewSheet begins a sheet whose id differs from that of the one it replaces,
// so that an old piece of paper is recognised as old.
func NewSheet(previous string, now time.Time) Sheet {
	const letters, digits = "ABCDEFGHJKMNPQRSTVWXYZ", "23456789"
	id := previous
	for id == previous {
		raw := make([]byte, 2)
		rand.Read(raw)
		id = string([]byte{letters[int(raw[0])%len(letters)], digits[int(raw[1])%len(digits)]})
	}
	return Sheet{ID: id, MadeAt: now}
}

// Exists reports whether there is a sheet: whoever has a factor has one.
func (s Sheet) Exists() bool { return s.ID != "" }

// Check reports whether a code with this number (from 0) is there and unused, and leaves it
// so; otherwise it refuses with ErrWrongRecovery.
func (s Sheet) Check(number int) error {
	if number < 0 || number >= RecoveryCodes || s.Used[number] {
		return ErrWrongRecovery
	}
	return nil
}

// Left counts the codes that were not used yet.
func (s Sheet) Left() int {
	left := 0
	for _, used := range s.Used {
		if !used {
			left++
		}
	}
	return left
}
