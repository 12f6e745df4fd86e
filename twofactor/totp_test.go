package twofactor_test

import (
	"strings"
	"testing"
	"time"

	"gatehouse/twofactor"
	"gatehouse/typed"
)

// acceptedStep tells the time step that a fresh enrolment accepts the code for when
// only the present step and the next are open.
func acceptedStep(t *testing.T, code string, now time.Time) (step int64, ok bool) {
	t.Helper()
	e := twofactor.Enrollment{
		State:    twofactor.Enabled,
		Secret:   secretOf(t, []byte(rfcKey)),
		LastStep: twofactor.TimeStep(now) - 1,
	}
	err := e.Verify(code, now)
	return e.LastStep, err == nil
}

func TestCodesOfRFC4226AppendixD(t *testing.T) {
	for counter, code := range []string{"755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583",
		"399871", "520489"} {
		if got := codeAt([]byte(rfcKey), int64(counter)); got != code {
			t.Fatalf("the tests' own code for counter %d is %s, want %s", counter, got, code)
		}
		step, ok := acceptedStep(t, code, time.Unix(int64(counter)*30, 0))
		if !ok || step != int64(counter) {
			t.Errorf("code %s of counter %d: accepted %v for step %d", code, counter, ok, step)
		}
	}
}

// The RFC's eight digits end in the six that apps show, since both are a
// remainder of the same number.
func TestCodesOfRFC6238AppendixB(t *testing.T) {
	for _, vector := range []struct {
		seconds int64
		step    int64
		eight   string
	}{
		{59, 0x1, "94287082"},
		{1111111109, 0x23523EC, "07081804"},
		{1111111111, 0x23523ED, "14050471"},
		{1234567890, 0x273EF07, "89005924"},
		{2000000000, 0x3F940AA, "69279037"},
		{20000000000, 0x27BC86AA, "65353130"},
	} {
		now := time.Unix(vector.seconds, 0)
		if got := twofactor.TimeStep(now); got != vector.step {
			t.Errorf("the time step at %d is %x, want %x", vector.seconds, got, vector.step)
		}
		step, ok := acceptedStep(t, vector.eight[2:], now)
		if !ok || step != vector.step {
			t.Errorf("code %s at %d: accepted %v for step %x", vector.eight[2:], vector.seconds, ok, step)
		}
	}
}

func TestTimeStep(t *testing.T) {
	for _, c := range []struct {
		name string
		now  time.Time
		step int64
		next time.Duration
	}{
		{"the first step begins in 1970", time.Unix(0, 0), 0, 30 * time.Second},
		{"the last nanosecond of a step belongs to it", time.Unix(29, 999_999_999), 0, 1},
		{"the thirtieth second begins the next step", time.Unix(30, 0), 1, 30 * time.Second},
		{"a fraction of a second shortens the time to the next code", time.Unix(31, 500_000_000), 1,
			28*time.Second + 500*time.Millisecond},
		{"a clock just before 1970 is in step -1", time.Unix(-1, 0), -1, time.Second},
		{"a fraction before 1970 is in step -1", time.Unix(-1, 999_999_999), -1, 1},
		{"step -1 begins 30 seconds before 1970", time.Unix(-30, 0), -1, 30 * time.Second},
		{"step -2 ends there", time.Unix(-31, 0), -2, time.Second},
		{"after 2038 steps go on", time.Unix(1<<31, 0), (1 << 31) / 30, 22 * time.Second},
		{"the zone does not matter", time.Unix(60, 0).In(time.FixedZone("", 5*3600+1800)), 2, 30 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := twofactor.TimeStep(c.now); got != c.step {
				t.Errorf("step %d, want %d", got, c.step)
			}
			if got := twofactor.NextStepIn(c.now); got != c.next {
				t.Errorf("next code in %v, want %v", got, c.next)
			}
		})
	}
}

func TestNormalizeCode(t *testing.T) {
	for _, c := range []struct{ name, typed, want string }{
		{"six digits stay as they are", "123456", "123456"},
		{"leading zeros stay", "000042", "000042"},
		{"a space in the middle goes", "123 456", "123456"},
		{"spaces around go", "  123456\t", "123456"},
		{"a line break from the clipboard goes", "123456\r\n", "123456"},
		{"a no-break space goes", "123\u00a0456", "123456"},
		{"a narrow no-break space goes", "123\u202f456", "123456"},
		{"a hyphen goes", "123-456", "123456"},
		{"nothing is no code", "", ""},
		{"spaces alone are no code", "      ", ""},
		{"five digits are no code", "12345", ""},
		{"seven digits are no code", "1234567", ""},
		{"a letter makes it no code", "12345O", ""},
		{"a sign makes it no code", "+123456", ""},
		{"a full stop makes it no code", "123.456", ""},
		{"full-width digits count", "\uff11\uff12\uff13\uff14\uff15\uff16", "123456"},
		{"Arabic-Indic digits count", "١٢٣٤٥٦", "123456"},
		{"Persian digits count", "۱۲۳ ۴۵۶", "123456"},
		{"Devanagari digits count", "१२३-४५६", "123456"},
		{"Thai digits count", "๑๒๓๔๕๖", "123456"},
		{"digits of several scripts count", "1٢۳४５๖", "123456"},
		{"bidirectional controls around go", "\u2067\u202b١٢٣\u061c٤٥٦\u202c\u2069", "123456"},
		{"zero-width signs go", "\u200b123\u200c\u200d456\u2060", "123456"},
		{"a byte-order mark goes", "\ufeff123456", "123456"},
		{"a soft hyphen goes", "123\u00ad456", "123456"},
		{"an ideographic space goes", "123\u3000456", "123456"},
		{"a thin space goes", "123\u2009456", "123456"},
		{"a line separator goes", "123\u2028456", "123456"},
		{"an em dash goes", "123—456", "123456"},
		{"a minus sign goes", "123\u2212456", "123456"},
		{"a full-width hyphen goes", "１２３－４５６", "123456"},
		{"the dash of a Japanese keyboard goes", "１２３ー４５６", "123456"},
		{"quotes around go", "“123 456”", "123456"},
		{"the full stop of a sentence goes", "123456.", "123456"},
		{"a number in Chinese makes it no code", "一二三四五六", ""},
		{"circled numbers make it no code", "①②③④⑤⑥", ""},
		{"superscripts make it no code", "¹²³⁴⁵⁶", ""},
		{"two codes are no code", "123456 123456", ""},
		{"a numbered line is no code of six digits", "1. 123456", ""},
		{"a zero byte makes it no code", "123456\x00", ""},
		{"invalid UTF-8 makes it no code", "123456\xff", ""},
		{"512 bytes are looked at", strings.Repeat(" ", 506) + "123456", "123456"},
		{"513 bytes are not", strings.Repeat(" ", 507) + "123456", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := twofactor.NormalizeCode(c.typed); got != c.want {
				t.Errorf("%q gives %q, want %q", c.typed, got, c.want)
			}
		})
	}
}

func FuzzNormalizeCode(f *testing.F) {
	for _, seed := range []string{"123456", "123 456", " 000-042\r\n", "", "12345", "1234567", "123\u202f456", "١٢٣٤٥٦",
		"\uff11\uff12\uff13\uff14\uff15\uff16", "12\xff3456", "123456\x00",
		strings.Repeat("1 ", 6) + strings.Repeat(" ", 60),
		"\u2067۱۲۳\u061c٤٥٦\u2069", "१२३\u00ad४५६", "“123–456”", "1٢۳४５๖", "\ufeff123456\u200b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		code := twofactor.NormalizeCode(text)
		if again := twofactor.NormalizeCode(code); again != code {
			t.Errorf("%q gives %q, which gives %q", text, code, again)
		}
		if code == "" {
			return
		}
		if len(code) != twofactor.Digits || strings.Trim(code, "0123456789") != "" {
			t.Errorf("%q gives %q, which is not six digits", text, code)
		}
		digits := strings.Map(func(r rune) rune {
			if value, ok := typed.Digit(r); ok {
				return rune('0' + value)
			}
			return -1
		}, text)
		if digits != code {
			t.Errorf("%q gives %q: its digits are %q", text, code, digits)
		}
	})
}
