package views

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"gatehouse/account"

	"pgregory.net/rapid"
)

// sampleMail is a mail with everything that any kind tells.
func sampleMail(kind account.MailKind, event account.Event) Mail {
	at := time.Date(2026, 11, 26, 18, 0, 0, 0, time.UTC)
	berlin := time.FixedZone("CET", 60*60)
	m := Mail{
		Kind:      kind,
		Workspace: "Acme & Söhne",
		Base:      "https://portal.example.org",
		Zone:      berlin,
		Name:      "Ada Lovelace",
		Account:   "ada@example.org",
		CodesLeft: 2,
		EndsAt:    at.Add(time.Hour),
		MadeAt:    at,
		Event:     event,
		At:        at,
		Address:   "192.0.2.7",
		By:        account.Party{Kind: account.ActorPerson, ID: 2, Name: "Grace Hopper", Email: "grace@example.org"},
		Subject:   account.Party{Kind: account.ActorPerson, ID: 1, Name: "Ada Lovelace", Email: "ada@example.org"},
	}
	switch kind {
	case account.MailPolicy:
		m.Detail = "1796252400" // 3 December 2026, 00:00 in Berlin
	case account.MailAdmins, account.MailTest:
	default:
		m.Token = strings.Repeat("x", 43)
	}
	if event == account.PersonChanged {
		m.Detail = "old@example.org"
	}
	return m
}

// everyMail calls do for every kind of mail, and for every event that is mailed.
func everyMail(do func(name string, m Mail)) {
	for _, kind := range account.MailKinds {
		if kind != account.MailEvent && kind != account.MailAdmins {
			do(string(kind), sampleMail(kind, ""))
		}
	}
	for _, event := range account.Events() {
		if event.MailsPerson() {
			do(string(event), sampleMail(account.MailEvent, event))
		}
		if event.MailsAdmins(account.ActorMachine, "administrator") {
			do("admins "+string(event), sampleMail(account.MailAdmins, event))
		}
	}
}

var mailLink = regexp.MustCompile(`(?m)^https://\S+$`)

// TestEveryMail demands of every mail what mails are: plain text of at most 78 columns, one link at
// most, on a line of its own, times with an offset, sentences that end.
func TestEveryMail(t *testing.T) {
	everyMail(func(name string, m Mail) {
		subject, body := MailText(m)
		if subject == "" || strings.ContainsAny(subject, "\r\n") || !strings.Contains(subject, "Acme & Söhne") {
			t.Errorf("%s: subject %q", name, subject)
		}
		if !strings.HasPrefix(body, "Hello Ada Lovelace,\n\n") || strings.Contains(body, "\n\n\n") || strings.Contains(body, "<") {
			t.Errorf("%s:\n%s", name, body)
		}
		if links := len(mailLink.FindAllString(body, -1)); links != strings.Count(body, "://") || links > 1 || m.Token != "" && links != 1 {
			t.Errorf("%s: %d links:\n%s", name, links, body)
		}
		for line := range strings.Lines(body) {
			line = strings.TrimSuffix(line, "\n")
			if utf8.RuneCountInString(line) > mailWidth && !mailLink.MatchString(line) || line != strings.TrimRight(line, " ") {
				t.Errorf("%s: %d columns: %q", name, utf8.RuneCountInString(line), line)
			}
		}
		if m.Kind == account.MailEvent && (!strings.Contains(body, "2026-11-26T19:00:00+01:00") || !strings.Contains(body, "/not-me/")) {
			t.Errorf("%s has no time or no link:\n%s", name, body)
		}
	})
	subject, body := MailText(sampleMail(account.MailPolicy, ""))
	if !strings.Contains(subject, "from 3 December") || !strings.Contains(body, "From 3 December 2026 on") {
		t.Errorf("the policy's day: %s\n%s", subject, body)
	}
}

// TestMailsCannotBeBent gives names, workspaces and browsers that try to add lines, links or
// directions of writing to a mail.
func TestMailsCannotBeBent(t *testing.T) {
	t.Parallel()
	words := rapid.StringOfN(rapid.OneOf(rapid.SampledFrom([]rune("\r\n\t\x00\u202e\u2028\u200b https://evil ")), rapid.Rune()), 0, 200, -1)
	rapid.Check(t, func(t *rapid.T) {
		m := sampleMail(account.MailEvent, account.PasswordChanged)
		m.Workspace, m.Name, m.By.Name, m.Address = words.Draw(t, "workspace"), words.Draw(t, "name"), words.Draw(t, "by"), words.Draw(t, "address")
		subject, body := MailText(m)
		for _, text := range []string{subject, strings.ReplaceAll(body, "\n", "")} {
			if strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' }) {
				t.Fatalf("%q", text)
			}
		}
		links := 0
		for line := range strings.Lines(body) {
			line = strings.TrimSuffix(line, "\n")
			if strings.HasPrefix(line, "https://portal.example.org/not-me/") {
				links++
			} else if utf8.RuneCountInString(line) > mailWidth {
				t.Fatalf("%d columns: %q", utf8.RuneCountInString(line), line)
			} else if strings.HasPrefix(line, "http") {
				t.Fatalf("another link: %q", line)
			}
		}
		if links != 1 {
			t.Fatalf("%d links:\n%s", links, body)
		}
	})
}

// TestPolicyAnnounced names the day as people say it.
func TestPolicyAnnounced(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 26, 12, 0, 0, 0, berlin)
	for days, want := range map[int]string{
		1:  "Two-factor authentication will be required from 27 November (in 1 day).",
		7:  "Two-factor authentication will be required from 3 December (in 7 days).",
		40: "Two-factor authentication will be required from 5 January 2027 (in 40 days).",
	} {
		from := time.Date(2026, 11, 26+days, 0, 0, 0, 0, berlin)
		if got := PolicyAnnounced(from, now, berlin); got != want {
			t.Errorf("got %q; want %q", got, want)
		}
	}
}

// TestEveryMailHasAName looks for the words of each kind in the list of admins.
func TestEveryMailHasAName(t *testing.T) {
	for _, kind := range account.MailKinds {
		if mailName(SentMail{Kind: kind, Event: account.SignedIn}) == "" {
			t.Errorf("%s has no name", kind)
		}
	}
}

// ExampleMailText shows what somebody gets whose account was signed in to from a new browser.
func ExampleMailText() {
	m := sampleMail(account.MailEvent, account.SignedIn)
	m.Detail, m.Method = "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0", account.ByPassword
	_, body := MailText(m)
	fmt.Print(body)
	// Output:
	// Hello Ada Lovelace,
	//
	// Somebody has signed in to your account from a browser that was not known.
	//
	//   When:    2026-11-26T19:00:00+01:00
	//   By:      Grace Hopper (grace@example.org)
	//   Address: 192.0.2.7
	//   Browser: Firefox on Linux
	//
	// If this was you, or you know about it, you need not do anything. If it was
	// not, say so here. Nobody can sign in to your account then until you choose a
	// new password with a link that is mailed to you:
	//
	// https://portal.example.org/not-me/xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
	//
	// The link works once, until 2026-11-26T20:00:00+01:00.
}
