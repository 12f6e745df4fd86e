package twofactor_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"gatehouse/twofactor"
)

func TestNewSecret(t *testing.T) {
	a, b := twofactor.NewSecret(), twofactor.NewSecret()
	if len(a.Bytes()) != 20 || bytes.Equal(a.Bytes(), make([]byte, 20)) || bytes.Equal(a.Bytes(), b.Bytes()) {
		t.Error("a new secret is not 20 random bytes")
	}
}

func TestParseSecret(t *testing.T) {
	for n := range 64 {
		secret, err := twofactor.ParseSecret(make([]byte, n))
		if (err == nil) != (n == 20) {
			t.Errorf("%d bytes: %v", n, err)
		}
		if err != nil && len(secret.Bytes()) != 0 {
			t.Errorf("%d bytes were refused and kept", n)
		}
	}
	if _, err := twofactor.ParseSecret(nil); err == nil {
		t.Error("no bytes at all were taken for a secret")
	}
}

func TestSecretIsACopy(t *testing.T) {
	key := []byte(rfcKey)
	secret := secretOf(t, key)
	key[0] = 'x'
	secret.Bytes()[1] = 'x'
	if string(secret.Bytes()) != rfcKey {
		t.Error("the secret changed with a slice of somebody else")
	}
}

func TestSecretAsPeopleTypeIt(t *testing.T) {
	secret := secretOf(t, []byte(rfcKey))
	if got := secret.Base32(); got != "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ" {
		t.Errorf("base 32 is %q", got)
	}
	if got := secret.Groups(); got != "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ" {
		t.Errorf("groups are %q", got)
	}
	if none := (twofactor.Secret{}); none.Base32() != "" || none.Groups() != "" || len(none.Bytes()) != 0 {
		t.Error("the zero secret gives something out")
	}
}

func TestZeroSecretMatchesNoCode(t *testing.T) {
	e := twofactor.Enrollment{State: twofactor.Enabled}
	for _, code := range []string{codeAt(nil, stepOf(noon)), codeAt(make([]byte, 20), stepOf(noon)), "", "000000"} {
		if err := e.Verify(code, noon); !errors.As(err, new(twofactor.WrongCode)) {
			t.Errorf("code %q: %v", code, err)
		}
	}
}

// wrapper keeps what it holds where fmt cannot call methods.
type wrapper struct{ value any }

// printableSecrets is what may end in a log line, with what it must not tell.
func printableSecrets(t *testing.T) map[string]struct {
	value any
	tells []string
} {
	secret := secretOf(t, []byte(rfcKey))
	code, ok := twofactor.NormalizeRecoveryCode("8QJX-7KRM")
	if !ok {
		t.Fatal("the recovery code is none")
	}
	// As text, as hexadecimal, as numbers, as base 32 and base 64.
	ofSecret := []string{rfcKey[:5], "3132333435", "0x31, 0x32, 0x33", "0x31 0x32 0x33", "49 50 51", "49, 50, 51",
		"GEZDGNBV", "GEZD GNBV", "MTIzNDU2"}
	ofCode := []string{"8QJX", "7KRM", "38514a58", "38514A58", "56 81 74", "0x38, 0x51", "OFFKWDLS"}
	type what = struct {
		value any
		tells []string
	}
	return map[string]what{
		"a secret":                  {secret, ofSecret},
		"a secret's address":        {&secret, ofSecret},
		"secrets in a slice":        {[]twofactor.Secret{secret}, ofSecret},
		"a secret in a map":         {map[string]twofactor.Secret{"s": secret}, ofSecret},
		"an enrolment":              {pending(t), ofSecret},
		"a recovery code":           {code, ofCode},
		"a recovery code's address": {&code, ofCode},
		"recovery codes in a slice": {[]twofactor.RecoveryCode{code}, ofCode},
	}
}

func TestSecretsAreNotPrinted(t *testing.T) {
	for name, c := range printableSecrets(t) {
		t.Run(name, func(t *testing.T) {
			check := func(how, text string, redacted bool) {
				t.Helper()
				for _, part := range c.tells {
					if strings.Contains(text, part) {
						t.Errorf("%s tells %q: %s", how, part, text)
					}
				}
				if redacted && !strings.Contains(text, "[redacted]") {
					t.Errorf("%s does not say [redacted]: %s", how, text)
				}
			}
			for _, verb := range "vTtbcdoOqxXUeEfFgGspw" {
				for _, flags := range []string{"", "+", "#", " ", "0", "-", "40", ".3", "+#", "# "} {
					format := "%" + flags + string(verb)
					// fmt asks no method at all for %T, %p and %w of what is no error.
					check(format, fmt.Sprintf(format, c.value), !strings.ContainsRune("Tpw", verb))
				}
			}
			wrap, none := "wrapped: %w", "no verb" // slips that vet would find in a constant
			check("an error", fmt.Errorf("%w, %v", errors.New("x"), c.value).Error(), true)
			check("a wrapped value", fmt.Errorf(wrap, c.value).Error(), false)
			check("Print", fmt.Sprint(c.value), true)
			check("too many arguments", fmt.Sprintf(none, c.value), true)
			check("an unexported field",
				fmt.Sprintf("%v %+v %#v %x %s", wrapper{c.value}, wrapper{c.value}, wrapper{c.value}, wrapper{c.value},
					wrapper{c.value}), false)

			var log bytes.Buffer
			slog.New(slog.NewTextHandler(&log, nil)).Info("x", "it", c.value, slog.Group("in", "it", c.value))
			check("slog as text", log.String(), true)
			log.Reset()
			slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "it", c.value, slog.Group("in", "it", c.value))
			check("slog as JSON", log.String(), true)
			log.Reset()
			slog.New(slog.NewTextHandler(&log, nil)).Info("x", "it", wrapper{c.value})
			check("an unexported field in slog", log.String(), false)

			text, err := json.Marshal(c.value)
			if err != nil {
				t.Fatal(err)
			}
			check("JSON", string(text), true)
			if text, err = xml.Marshal(c.value); err == nil {
				check("XML", string(text), true)
			}
		})
	}
}

func TestSecretsAsTextAndKeys(t *testing.T) {
	secret := secretOf(t, []byte(rfcKey))
	code, _ := twofactor.NormalizeRecoveryCode("8QJX-7KRM")
	for _, value := range []interface {
		fmt.Stringer
		slog.LogValuer
		MarshalText() ([]byte, error)
	}{secret, code} {
		text, err := value.MarshalText()
		if err != nil || string(text) != "[redacted]" || value.String() != "[redacted]" ||
			value.LogValue().String() != "[redacted]" {
			t.Errorf("%T says %q, %q, %q", value, text, value.String(), value.LogValue())
		}
	}
}
