package cli

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"gatehouse/typed"

	"golang.org/x/term"
)

// readPassword reads a new password: typed twice at a terminal, or one line of
// standard input. It is never an argument, which other users could list.
func (env *commandEnv) readPassword() (string, error) {
	fd := int(env.Stdin.Fd())
	if !term.IsTerminal(fd) {
		return pipedPassword(bufio.NewReader(env.Stdin))
	}
	var entries [2]string
	for i, prompt := range []string{"Password: ", "Once more: "} {
		fmt.Fprint(env.Stderr, prompt)
		text, err := term.ReadPassword(fd)
		fmt.Fprintln(env.Stderr)
		if err != nil {
			return "", fmt.Errorf("reading the password: %w", err)
		}
		entries[i] = string(text)
	}
	if entries[0] != entries[1] {
		return "", errors.New("the two passwords differ; try again")
	}
	return entries[0], nil
}

// pipedPassword reads one line. Its end is no part of the password, nor is a
// byte-order mark: Windows' shells and editors put one before a text, which they
// may also write as UTF-16. Nobody could type a password that is no text.
func pipedPassword(input *bufio.Reader) (string, error) {
	line, err := pipedLine(input)
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("reading the password: %w", err)
	}
	password := strings.TrimRight(typed.WithoutMark(line), "\r\n")
	if !utf8.ValidString(password) || strings.ContainsRune(password, 0) {
		return "", errors.New("the password on standard input is not UTF-8 text; convert it and try again")
	}
	return password, nil
}

// pipedLine reads up to the end of the first line, or of the input: io.EOF.
func pipedLine(input *bufio.Reader) (string, error) {
	first, err := input.Peek(1)
	if err != nil {
		return "", err
	}
	if first[0] == 0xff || first[0] == 0xfe { // no text in UTF-8 begins so
		switch mark, _ := input.Peek(2); string(mark) {
		case "\xff\xfe":
			return pipedUTF16(input, binary.LittleEndian)
		case "\xfe\xff":
			return pipedUTF16(input, binary.BigEndian)
		}
	}
	return input.ReadString('\n')
}

// pipedUTF16 reads up to the end of the first line in UTF-16.
func pipedUTF16(input *bufio.Reader, order binary.ByteOrder) (string, error) {
	var units []uint16
	for {
		var unit [2]byte
		if _, err := io.ReadFull(input, unit[:]); err != nil {
			return string(utf16.Decode(units)), err
		}
		units = append(units, order.Uint16(unit[:]))
		if units[len(units)-1] == '\n' {
			return string(utf16.Decode(units)), nil
		}
	}
}
