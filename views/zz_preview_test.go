package views

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/a-h/templ"
	"gatehouse/twofactor"
)

func TestPreview(t *testing.T) {
	out := os.Getenv("PREVIEW")
	if out == "" {
		t.Skip()
	}
	now := time.Date(2026, 11, 23, 9, 41, 12, 0, time.UTC)
	f := Frame{Workspace: "Acme & Söhne", Assets: Assets{CSS: "all.css", HTMX: "htmx.js", Icon: "icon.svg"}, Now: now, Path: "/my",
		Visitor: Visitor{Name: "Ada Lovelace", Email: "ada@example.org", Role: twofactor.SuperAdmin}}
	anon := Frame{Workspace: "Acme & Söhne", Assets: f.Assets, Now: now}
	at := func(p string) Frame { g := f; g.Path = p; return g }
	sheet := twofactor.Sheet{ID: "K7", MadeAt: now.Add(-11 * 24 * time.Hour), Used: [8]bool{true, true, true}}
	pending := twofactor.Enrollment{State: twofactor.Pending, Secret: twofactor.NewSecret(), ExpiresAt: now.Add(10 * time.Minute)}
	enabled := twofactor.Enrollment{State: twofactor.Enabled, ConfirmedAt: now.Add(-11 * 24 * time.Hour), Sheet: sheet}
	qr, err := NewQR(twofactor.KeyURI("Acme & Söhne", "ada@example.org", pending.Secret))
	if err != nil {
		t.Fatal(err)
	}
	tf := func(e twofactor.Enrollment) TwoFactor {
		x := TwoFactor{Workspace: f.Workspace, Email: "ada@example.org", Enrollment: e, Now: now}
		if e.State == twofactor.Pending {
			x.QR = qr
		}
		return x
	}
	stopped := f
	stopped.Visitor.Stopped = true
	req := tf(twofactor.Enrollment{})
	req.Required, req.Next = true, "/my"
	wrong := tf(pending)
	wrong.Alert = EnrollmentRefused(twofactor.WrongCode{Left: 3}, now)
	clock := tf(pending)
	clock.Alert = EnrollmentRefused(twofactor.WrongCode{Left: 3, ClockOff: -4 * time.Minute}, now)
	nop := tf(twofactor.Enrollment{})
	nop.Alert = Refused(twofactor.ErrNoPending, now)
	fresh := enabled
	fresh.Sheet = twofactor.Sheet{ID: "K7", MadeAt: now}
	rec := tf(fresh)
	c := twofactor.NewRecoveryCodes()
	rec.Codes, rec.Success, rec.Next = c[:], Confirmed(), "/my"
	prompt := tf(enabled)
	prompt.Prompt = true
	reauth := tf(enabled)
	reauth.Reauth, reauth.Alert = true, PasswordRefused(twofactor.ErrWrongPassword, now)
	dis := tf(enabled)
	dis.Disable, dis.Alert = true, DisableRefused(twofactor.ErrWrongPassword, now)
	wait := Refused(twofactor.Wait{Until: now.Add(30 * time.Second)}, now)
	disabled := tf(twofactor.Enrollment{})
	disabled.Success = Disabled()
	prof := Profile{State: twofactor.Enabled, ConfirmedAt: now, Sheet: sheet, Sessions: []Session{
		{ID: "a", Browser: "Firefox on Linux", Address: "192.0.2.4", StartedAt: now, SeenAt: now, Current: true},
		{ID: "b", Browser: "Safari on iPhone", Address: "2001:db8::1", StartedAt: now, SeenAt: now}},
		Events: []Event{{At: now, Text: "Signed in with code from the app", Address: "192.0.2.4"}, {At: now, Text: "Two-factor reset", Address: "192.0.2.9", By: "Grace Hopper"}, {At: now, Text: "Wrong password at sign-in", Address: "192.0.2.4"}}}
	profErr := prof
	profErr.State = twofactor.NotConfigured
	profErr.CurrentPassword.Error = FieldProblem("current_password", "wrong")
	fn := at("/admin/settings/security")
	fn.Notices = []Notice{InsecureHTTP(), {Text: BreakGlass("authn_factor_reset", "os:root", "Ada Lovelace", "", now), DismissID: 3}}
	pages := map[string]templ.Component{
		"signin":           SignInPage(anon, SignIn{}),
		"signin-notice":    SignInPage(anon, SignIn{Notice: SignInNotice("signout", false)}),
		"signin-refused":   SignInPage(anon, SignIn{Email: "ada@example.org", Alert: SignInRefused(twofactor.ErrWrongPassword, now)}),
		"signin-wait":      SignInPage(anon, SignIn{Email: "ada@example.org", Alert: wait, Wait: 30 * time.Second}),
		"challenge":        ChallengePage(anon, Challenge{Email: "ada@example.org", Sheet: sheet}),
		"challenge-wrong":  ChallengePage(anon, Challenge{Email: "ada@example.org", Sheet: sheet, CodeAlert: ChallengeRefused(twofactor.WrongCode{Left: 3}, now)}),
		"challenge-rec":    ChallengePage(anon, Challenge{Email: "ada@example.org", Sheet: sheet, RecoveryAlert: ChallengeRefused(twofactor.ErrWrongRecovery, now)}),
		"setup":            SetupPage(anon, Setup{Token: "abc"}),
		"setup-refused":    SetupPage(anon, Setup{Token: "abc", Workspace: Field{Value: "Acme"}, Password: Field{Error: FieldProblem("password", "too short")}}),
		"home":             HomePage(f, Home{State: 0, Advice: HomeAdvice(twofactor.Enrollment{})}),
		"home-meanwhile":   HomePage(f, Home{State: 2, Since: now, Advice: HomeAdvice(twofactor.Enrollment{State: 2, Sheet: twofactor.Sheet{Used: [8]bool{true, true, true, true, true, true}}}), Meanwhile: []Message{Happened("authn_login_fail", 2, now, ""), Happened("recovery_code_used", 1, now, "")}}),
		"profile":          ProfilePage(at("/my/profile"), prof),
		"profile-refused":  ProfilePage(at("/my/profile"), profErr),
		"not-configured":   TwoFactorPage(at("/my/profile"), tf(twofactor.Enrollment{})),
		"required":         TwoFactorPage(stopped, req),
		"no-pending":       TwoFactorPage(at("/my/profile"), nop),
		"pending":          TwoFactorPage(at("/my/profile"), tf(pending)),
		"pending-wrong":    TwoFactorPage(at("/my/profile"), wrong),
		"pending-clock":    TwoFactorPage(at("/my/profile"), clock),
		"recovery":         TwoFactorPage(at("/my/profile"), rec),
		"enabled":          TwoFactorPage(at("/my/profile"), tf(enabled)),
		"enabled-prompt":   TwoFactorPage(at("/my/profile"), prompt),
		"enabled-reauth":   TwoFactorPage(at("/my/profile"), reauth),
		"enabled-disable":  TwoFactorPage(at("/my/profile"), dis),
		"disabled":         TwoFactorPage(at("/my/profile"), disabled),
		"security":         SecurityPage(fn, Security{Policy: twofactor.Policy{Admins: true}, Everyone: Stopped{Count: 7, Names: []string{"Ada Lovelace", "Alan Turing", "Grace Hopper"}, You: true}}),
		"security-saved":   SecurityPage(at("/admin/settings/security"), Security{Policy: twofactor.Policy{Everyone: true}, Success: PolicySaved(twofactor.Policy{Everyone: true})}),
		"general":          GeneralPage(at("/admin/settings/general"), General{Workspace: Field{Value: "Acme & Söhne"}}),
		"problem":          ProblemPage(anon, NotFound()),
		"problem-in":       ProblemPage(f, Unavailable("5f2c9a")),
		"help":             HelpPage(at("/help/two-factor")),
	}
	for name, p := range pages {
		w, err := os.Create(filepath.Join(out, name+".html"))
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Render(context.Background(), w); err != nil {
			t.Fatal(name, err)
		}
		w.Close()
	}
}
