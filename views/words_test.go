package views

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"gatehouse/twofactor"
)

func TestRefusalSentences(t *testing.T) {
	at := time.Date(2026, 11, 23, 9, 41, 12, 0, time.UTC) // 18 seconds before the next code
	for name, c := range map[string]struct {
		got          Message
		text, advice string
	}{
		"a wrong code says when the next one comes": {Refused(twofactor.WrongCode{Left: 4}, at),
			"That code did not match", "in 18 seconds, and enter that one. You have 4 more tries."},
		"one try is left": {Refused(twofactor.WrongCode{Left: 1}, at), "That code did not match",
			"You have 1 more try."},
		"the phone's clock is behind": {EnrollmentRefused(twofactor.WrongCode{Left: 4, ClockOff: -4 * time.Minute}, at),
			"That code did not match",
			"Your phone's clock is about 4 minutes behind this server's, or the code has expired. Enter the one your app shows now."},
		"the phone's clock is ahead": {EnrollmentRefused(twofactor.WrongCode{Left: 4, ClockOff: time.Minute}, at),
			"That code did not match", "Your phone's clock is about 1 minute ahead of this server's."},
		"a code of lately has expired": {ChallengeRefused(twofactor.WrongCode{Left: 4, Expired: true}, at),
			"That code did not match", "It has expired; enter the one your app shows now. You have 4 more tries."},
		"the last wrong code ends the set-up": {EnrollmentRefused(twofactor.WrongCode{}, at),
			"That code did not match", "Select Enable two-factor to start over"},
		"nothing to confirm": {EnrollmentRefused(twofactor.ErrNoPending, at),
			`No pending enrollment. Click "Enable" to start over`, "select Enable two-factor"},
		"disabling with a wrong password": {DisableRefused(twofactor.ErrWrongPassword, at),
			"Password did not match. Two-factor remains enabled.", "Re-enter your current account password."},
		"a wrong recovery code": {ChallengeRefused(twofactor.ErrWrongRecovery, at), "That code did not match",
			"Each code works once."},
		"a wait in seconds": {Refused(twofactor.Wait{Until: at.Add(29500 * time.Millisecond)}, at), "Too many tries.",
			"Wait 30 seconds, then try again."},
		"a wait in minutes": {Refused(twofactor.Wait{Until: at.Add(30 * time.Minute)}, at), "Too many tries.",
			"Wait 30 minutes, then try again."},
		"an unknown error": {Refused(errors.New("disk on fire"), at), "That did not work.", "Reload the page"},
		"confirmed": {Confirmed(),
			"Two-factor authentication is now active. Save your recovery codes — they're shown once.", ""},
	} {
		t.Run(name, func(t *testing.T) {
			if c.got.Text != c.text {
				t.Errorf("text %q, want %q", c.got.Text, c.text)
			}
			if !strings.Contains(c.got.Advice, c.advice) {
				t.Errorf("advice %q lacks %q", c.got.Advice, c.advice)
			}
		})
	}
}

func TestChallengeNeverMentionsTheClock(t *testing.T) {
	m := ChallengeRefused(twofactor.WrongCode{Left: 3, ClockOff: 4 * time.Minute}, time.Unix(0, 0))
	if strings.Contains(m.Advice, "clock") {
		t.Errorf("advice %q", m.Advice)
	}
}

func TestPlainNames(t *testing.T) {
	for _, c := range [][2]string{
		{roleName(twofactor.ITAdministrator), "IT administrator"},
		{codesLeft(1), "1 recovery code left"},
		{day(now), "23 Nov 2026 UTC"},
		{clockTime(now), "09:41:12 UTC"},
		{leftOfAll(sheet), "5 of 8 codes left"},
		{dateTime(now), "23 Nov 2026, 09:41 UTC"},
		{longDuration(90 * time.Second), "90 seconds"},
		{longDuration(91 * time.Second), "2 minutes"},
		{seconds(0), "1 second"},
		{impactText(PolicyImpact{
			Count: 3,
			First: []AffectedPerson{{Name: "Ada"}, {Name: "Alan", NeverSignedIn: true}},
		}), "3 people would have to set it up first: Ada, Alan (never signed in) and 1 more."},
		{impactText(PolicyImpact{
			Count: 2,
			First: []AffectedPerson{{Name: "Kim", Email: "kim@example.org"}, {
				Name:          "Kim",
				Email:         "k.2@example.org",
				NeverSignedIn: true,
			}},
		}),
			"2 people would have to set it up first: Kim (kim@example.org), Kim (k.2@example.org) (never signed in)."},
		{impactText(PolicyImpact{
			Count: 1000,
			More:  true,
			First: []AffectedPerson{{Name: "Ada"}},
		}), "More than 1000 people would have to set it up first: Ada and others."},
		{Browser("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"), "Firefox on Linux"},
		{currentEntry("/my/profile/two-factor"), "/my/profile"},
		{currentEntry("/admin/settings/general"), "/admin/settings/security"},
	} {
		if c[0] != c[1] {
			t.Errorf("%q, want %q", c[0], c[1])
		}
	}
}

func TestQRPrintsNoSecret(t *testing.T) {
	qr := pending(t).QR
	for _, got := range []string{qr.String(), fmt.Sprintf("%v", qr), fmt.Sprintf("%#v", qr)} {
		if got != "[redacted]" {
			t.Errorf("%q", got)
		}
	}
}
