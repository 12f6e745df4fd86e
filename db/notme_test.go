package db_test

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gatehouse/account"
	"gatehouse/db"
	"gatehouse/db/dbtest"
	"gatehouse/passkeys/passkeystest"
	"gatehouse/twofactor"
)

// stolen is an account to which a thief has signed in, with the mail that tells its owner.
type stolen struct {
	store  *db.Store
	person int64
	e      enrolled
	mail   db.Mail
	thief  db.Visitor
	now    time.Time
}

// steal has Ada enrol, and a thief sign in with her password and code an hour later.
func steal(t *testing.T, role twofactor.Role) stolen {
	t.Helper()
	s := stolen{store: withMail(t), now: start.Add(time.Hour)}
	if role != twofactor.SuperAdmin {
		dbtest.Add(t, s.store, "root@example.org", twofactor.SuperAdmin)
	}
	s.person = dbtest.Add(t, s.store, "ada@example.org", role)
	s.e = enrol(t, s.store, "ada@example.org", start)
	drain(t, s.store, s.now)
	r, err := s.store.VerifyCode(ctx, challenged(t, s.store, "ada@example.org", s.now), dbtest.Code(t, s.e.secret, s.now),
		firefox, s.now)
	if err != nil {
		t.Fatal(err)
	}
	s.thief = visitor(t, s.store, r.Session, s.now)
	s.mail = oneMail(t, s.store, account.MailEvent, "ada@example.org", s.now)
	return s
}

func (s stolen) close(t *testing.T, token string, now time.Time) db.NotMe {
	t.Helper()
	n, err := s.store.CloseAccount(ctx, token, firefox, now)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// requireClosed wants nobody to sign in.
func (s stolen) requireClosed(t *testing.T, email, password string, now time.Time) {
	t.Helper()
	if r, err := s.store.SignIn(ctx, email, password, "", db.Client{}, now); !errors.Is(err, twofactor.ErrWrongPassword) {
		t.Errorf("%s signs in: %+v, %v", email, r, err)
	}
}

// TestNotMeClosesTheAccount takes back what a thief has: sessions, a challenge, a known browser, the
// password; and lets the owner in again with the link that goes to them, second step included.
func TestNotMeClosesTheAccount(t *testing.T) {
	t.Parallel()
	s := steal(t, twofactor.Member)
	now := s.now.Add(time.Minute)
	if err := s.store.Reauthenticate(ctx, s.thief, dbtest.Password, firefox, now); err != nil {
		t.Fatal(err)
	}
	r, err := s.store.ChangePassword(ctx, s.thief, dbtest.Password, "thief's password", firefox, now)
	if err != nil {
		t.Fatal(err)
	}
	open, err := s.store.SignIn(ctx, "ada@example.org", "thief's password", "", firefox, now)
	if err != nil || open.Challenge == "" {
		t.Fatal(open, err)
	}
	drain(t, s.store, now)
	n := s.close(t, s.mail.Token, now)
	if n.Email != "ada@example.org" || !n.Mailed || n.Event != account.SignedIn {
		t.Errorf("it says %+v", n)
	}
	if _, err := s.store.Visitor(ctx, r.Session, now); !errors.Is(err, db.ErrSignedOut) {
		t.Errorf("the thief's session: %v", err)
	}
	if _, err := s.store.Challenge(ctx, open.Challenge, now); !errors.Is(err, twofactor.ErrChallengeOver) {
		t.Errorf("the thief's challenge: %v", err)
	}
	s.requireClosed(t, "ada@example.org", "thief's password", now)
	s.requireClosed(t, "ada@example.org", dbtest.Password, now)

	link := oneMail(t, s.store, account.MailClosed, "ada@example.org", now)
	if _, err := s.store.UseLink(ctx, link.Token, "", "owner's password", db.Client{}, now); err != nil {
		t.Fatal(err)
	}
	back, err := s.store.SignIn(ctx, "ada@example.org", "owner's password", "", db.Client{}, now)
	if err != nil || back.Challenge == "" || back.Session != "" {
		t.Fatalf("%+v, %v; want the second step", back, err)
	}
	now = now.Add(time.Minute)
	if _, err := s.store.VerifyCode(ctx, back.Challenge, dbtest.Code(t, s.e.secret, now), db.Client{}, now); err != nil {
		t.Errorf("the owner's app: %v", err)
	}
	notices, err := s.store.Notices(ctx)
	if err != nil || notices.Count != 1 || notices.Newest[0].Event != account.AccountClosed {
		t.Errorf("notices %+v, %v", notices, err)
	}
}

// TestNotMeChangesNothingWhenItIsOnlyOpened reads the link as scanners of mails do.
func TestNotMeChangesNothingWhenItIsOnlyOpened(t *testing.T) {
	t.Parallel()
	s := steal(t, twofactor.Member)
	for range 3 {
		if n, err := s.store.NotMe(ctx, s.mail.Token, s.now); err != nil || n.Event != account.SignedIn {
			t.Fatal(n, err)
		}
	}
	if err := s.store.Touch(ctx, s.thief, s.now.Add(time.Minute)); err != nil {
		t.Error(err)
	}
	if len(drain(t, s.store, s.now)) != 0 {
		t.Error("a mail was written")
	}
}

// TestNotMeWorksOnce uses a link twice, in parallel, after eight days, of somebody who was
// deactivated, and one that nobody has.
func TestNotMeWorksOnce(t *testing.T) {
	t.Parallel()
	s := steal(t, twofactor.Member)
	var done atomic.Int32
	var wait sync.WaitGroup
	for range 16 {
		wait.Go(func() {
			_, err := s.store.CloseAccount(ctx, s.mail.Token, db.Client{Address: "192.0.2.44"}, s.now)
			if err == nil {
				done.Add(1)
			} else if !errors.Is(err, db.ErrNotFound) {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if done.Load() != 1 {
		t.Errorf("it worked %d times", done.Load())
	}
	if all := drain(t, s.store, s.now); len(all) != 1 {
		t.Errorf("%s; want one link", mailList(all))
	}

	late := steal(t, twofactor.Member)
	if _, err := late.store.CloseAccount(ctx, late.mail.Token, firefox, late.now.Add(8*24*time.Hour)); !errors.Is(err, db.ErrNotFound) {
		t.Errorf("after eight days: %v", err)
	}
	gone := steal(t, twofactor.Member)
	if err := gone.store.SetActive(ctx, gone.person, false, db.Machine("root").Author(), gone.now); err != nil {
		t.Fatal(err)
	}
	if _, err := gone.store.CloseAccount(ctx, gone.mail.Token, firefox, gone.now); !errors.Is(err, db.ErrNotFound) {
		t.Errorf("of somebody deactivated: %v", err)
	}
	for _, m := range drain(t, gone.store, gone.now) {
		if m.Email == "ada@example.org" {
			t.Errorf("a mail to somebody deactivated: %s", m.Kind)
		}
	}
	var last error
	for range 30 {
		_, last = gone.store.CloseAccount(ctx, "nobody's", firefox, gone.now)
	}
	var waits twofactor.Wait
	if !errors.As(last, &waits) {
		t.Errorf("guessing goes on: %v", last)
	}
}

// TestNotMeOfAnAddress sends the link to the address from before, and Forgot password? too
// while the account is closed: the new address may be the thief's.
func TestNotMeOfAnAddress(t *testing.T) {
	t.Parallel()
	s := steal(t, twofactor.Member)
	machine := db.Machine("root").Author()
	now := s.now.Add(time.Minute)
	change := func(email string) {
		t.Helper()
		if err := s.store.ChangePerson(ctx, s.person, account.Seen{}, db.NewPerson{Name: "Ada", Email: email, Role: twofactor.Member}, machine, now); err != nil {
			t.Fatal(err)
		}
	}
	change("thief@example.org")
	var old db.Mail
	for _, m := range drain(t, s.store, now) {
		if m.Email == "ada@example.org" {
			old = m
		}
	}
	if n := s.close(t, old.Token, now); n.Email != "ada@example.org" {
		t.Errorf("the link goes to %s", n.Email)
	}
	first := oneMail(t, s.store, account.MailClosed, "ada@example.org", now)
	now = now.Add(2 * time.Hour)
	if err := s.store.ForgotPassword(ctx, "thief@example.org", firefox, now); err != nil {
		t.Fatal(err)
	}
	oneMail(t, s.store, account.MailForgot, "ada@example.org", now)
	now = now.Add(2 * time.Hour)
	if _, err := s.store.MailLink(ctx, s.person, machine, now); err != nil {
		t.Fatal(err)
	}
	oneMail(t, s.store, account.MailPassword, "ada@example.org", now)
	// An admin who changes the address of a closed account says where its links go from then on.
	now = now.Add(2 * time.Hour)
	change("lovelace@example.org")
	drain(t, s.store, now)
	if _, err := s.store.MailLink(ctx, s.person, machine, now); err != nil {
		t.Fatal(err)
	}
	link := oneMail(t, s.store, account.MailPassword, "lovelace@example.org", now)
	if _, err := s.store.Link(ctx, first.Token, now); !errors.Is(err, db.ErrNotFound) {
		t.Errorf("the link from before: %v", err)
	}
	if _, err := s.store.UseLink(ctx, link.Token, "", "owner's password", firefox, now); err != nil {
		t.Fatal(err)
	}
	if r, err := s.store.SignIn(ctx, "lovelace@example.org", "owner's password", "", db.Client{}, now); err != nil || r.Challenge == "" {
		t.Errorf("%+v, %v; want the second step", r, err)
	}
}

// TestNotMeLetsNobodyIn has a thief who reads the owner's mail: "This wasn't me" about the
// enabling of two-factor opens no way around it.
func TestNotMeLetsNobodyIn(t *testing.T) {
	t.Parallel()
	s := stolen{store: withMail(t), now: start}
	dbtest.Add(t, s.store, "root@example.org", twofactor.SuperAdmin)
	s.person = dbtest.Add(t, s.store, "ada@example.org", twofactor.Member)
	s.e = enrol(t, s.store, "ada@example.org", start)
	s.mail = oneMail(t, s.store, account.MailEvent, "ada@example.org", start)
	now := start.Add(time.Hour)
	s.close(t, s.mail.Token, now)
	link := oneMail(t, s.store, account.MailClosed, "ada@example.org", now)
	if _, err := s.store.UseLink(ctx, link.Token, "", "thief's password", firefox, now); err != nil {
		t.Fatal(err)
	}
	r, err := s.store.SignIn(ctx, "ada@example.org", "thief's password", "", firefox, now)
	if err != nil || r.Challenge == "" || r.Session != "" {
		t.Fatalf("%+v, %v; want the second step", r, err)
	}
	if _, err := s.store.VerifyCode(ctx, r.Challenge, dbtest.Code(t, s.e.secret, now), firefox, now); !errors.Is(err, twofactor.ErrSwitchedOff) {
		t.Errorf("the app that is switched off: %v", err)
	}
	if _, _, err := s.store.RedeemRecoveryCode(ctx, r.Challenge, s.e.codes[0].Text(), firefox, now); !errors.Is(err, twofactor.ErrSwitchedOff) {
		t.Errorf("its recovery codes: %v", err)
	}
	// An admin resets it, and what is enabled then counts.
	if err := s.store.ResetTwoFactor(ctx, s.person, db.Machine("root").Author(), now); err != nil {
		t.Fatal(err)
	}
	if suspicion, err := s.store.Suspicion(ctx, s.person); err != nil || suspicion != (db.Suspicion{}) {
		t.Errorf("after the reset: %+v, %v", suspicion, err)
	}
}

// TestSwitchedOffFactorsComeBack turns them on again, signed in with what was there before.
func TestSwitchedOffFactorsComeBack(t *testing.T) {
	t.Parallel()
	s := steal(t, twofactor.Member)
	now := s.now
	// The thief makes a new sheet of recovery codes; the app stays.
	if err := s.store.Reauthenticate(ctx, s.thief, dbtest.Password, firefox, now); err != nil {
		t.Fatal(err)
	}
	_, made, err := s.store.RegenerateRecoveryCodes(ctx, s.thief, firefox, now)
	if err != nil {
		t.Fatal(err)
	}
	drain(t, s.store, now)
	now = now.Add(time.Hour)
	s.close(t, s.mail.Token, now)
	link := oneMail(t, s.store, account.MailClosed, "ada@example.org", now)
	if _, err := s.store.UseLink(ctx, link.Token, "", "owner's password", firefox, now); err != nil {
		t.Fatal(err)
	}
	signIn := func() string {
		t.Helper()
		r, err := s.store.SignIn(ctx, "ada@example.org", "owner's password", "", db.Client{}, now)
		if err != nil || r.Challenge == "" {
			t.Fatal(r, err)
		}
		return r.Challenge
	}
	if _, _, err := s.store.RedeemRecoveryCode(ctx, signIn(), made.Codes[0].Text(), db.Client{}, now); !errors.Is(err, twofactor.ErrSwitchedOff) {
		t.Errorf("the thief's codes: %v", err)
	}
	r, err := s.store.VerifyCode(ctx, signIn(), dbtest.Code(t, s.e.secret, now), db.Client{}, now)
	if err != nil {
		t.Fatal("the app from before: ", err)
	}
	v := visitor(t, s.store, r.Session, now)
	drain(t, s.store, now)
	if err := s.store.TurnFactorsOn(ctx, v, db.Client{}, now); err != nil {
		t.Fatal(err)
	}
	if m := oneMail(t, s.store, account.MailEvent, "ada@example.org", now); m.Activity.Event != account.FactorsTurnedOn {
		t.Error(m.Activity.Event)
	}
	if _, _, err := s.store.RedeemRecoveryCode(ctx, signIn(), made.Codes[0].Text(), db.Client{}, now); err != nil {
		t.Errorf("turned on again: %v", err)
	}
}

// TestNotMeOfTheLastSuperAdministrator closes even that account; the link opens it, and so
// does the machine.
func TestNotMeOfTheLastSuperAdministrator(t *testing.T) {
	t.Parallel()
	s := steal(t, twofactor.SuperAdmin)
	s.close(t, s.mail.Token, s.now)
	s.requireClosed(t, "ada@example.org", dbtest.Password, s.now)
	if err := s.store.SetPassword(ctx, s.person, "another password", db.Machine("root").Author(), s.now); err != nil {
		t.Fatal(err)
	}
	if r, err := s.store.SignIn(ctx, "ada@example.org", "another password", "", db.Client{}, s.now); err != nil || r.Challenge == "" {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestReminders mails those who are not ready once when a policy is set, seven days before, one
// day before and when somebody asks for it, whoever does it and however often.
func TestReminders(t *testing.T) {
	t.Parallel()
	store := withMail(t)
	dbtest.Add(t, store, "root@example.org", twofactor.SuperAdmin)
	dbtest.Add(t, store, "ada@example.org", twofactor.Member)
	dbtest.Add(t, store, "bob@example.org", twofactor.Member)
	enrol(t, store, "bob@example.org", start)
	root := signIn(t, store, "root@example.org", start).Author(db.Client{})
	drain(t, store, start)
	remind := func(now time.Time) int {
		t.Helper()
		for range 3 {
			if more, err := store.SendReminders(ctx, now); err != nil || more {
				t.Fatal(more, err)
			}
		}
		n := 0
		for _, m := range drain(t, store, now) {
			if m.Kind == account.MailPolicy {
				n++
				if m.Email == "bob@example.org" {
					t.Error("Bob is ready")
				}
			}
		}
		return n
	}
	day := start.Add(30 * 24 * time.Hour)
	if n := remind(start); n != 0 {
		t.Errorf("%d mails without a policy", n)
	}
	if err := store.SetPolicy(ctx, twofactor.Policy{EveryoneFrom: day}, root, start); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		at   time.Time
		want int
	}{
		{start, 2},
		{start.Add(time.Hour), 0},
		{day.Add(-7*24*time.Hour - time.Second), 0},
		{day.Add(-7 * 24 * time.Hour), 2},
		{day.Add(-6 * 24 * time.Hour), 0},
		{day.Add(-24 * time.Hour), 2},
		{day.Add(-time.Hour), 0},
		{day, 0},
	} {
		if got := remind(c.at); got != c.want {
			t.Errorf("%v before: %d mails; want %d", day.Sub(c.at), got, c.want)
		}
	}
	w, err := store.Workspace(ctx)
	if err != nil || !w.Policy.At(day).Everyone || w.Policy.At(day.Add(-time.Second)).Everyone {
		t.Errorf("%+v, %v", w, err)
	}
	// Only admins, and asked for.
	machine, now := db.Machine("root").Author(), day.Add(time.Hour)
	if err := store.SetPolicy(ctx, twofactor.Policy{AdminsFrom: day.Add(30 * 24 * time.Hour)}, machine, now); err != nil {
		t.Fatal(err)
	}
	if got := remind(now); got != 1 {
		t.Errorf("of admins: %d mails", got)
	}
	now = now.Add(time.Hour)
	if err := store.RemindOfPolicy(ctx, machine, now); err != nil {
		t.Fatal(err)
	}
	if got := remind(now); got != 1 {
		t.Errorf("asked for: %d mails", got)
	}
}

// TestSwitchedOffPasskey has a thief add a passkey: it neither signs in alone nor passes the
// second step, while the app from before does.
func TestSwitchedOffPasskey(t *testing.T) {
	t.Parallel()
	s := steal(t, twofactor.Member)
	if _, err := s.store.SetPasskeyDomain(ctx, party.ID); err != nil {
		t.Fatal(err)
	}
	now := s.now
	if err := s.store.Reauthenticate(ctx, s.thief, dbtest.Password, firefox, now); err != nil {
		t.Fatal(err)
	}
	a := passkeystest.New()
	addPasskey(t, s.store, s.thief, a, now)
	if m := oneMail(t, s.store, account.MailEvent, "ada@example.org", now); m.Activity.Event != account.PasskeyAdded {
		t.Error(m.Activity.Event)
	}
	now = now.Add(time.Hour)
	s.close(t, s.mail.Token, now)
	alone := func() error {
		c, err := s.store.BeginPasskeySignIn(party, "browser", now)
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = s.store.SignInWithPasskey(ctx, party, "browser", assertion(t, a, c.Options), "", db.Client{}, now)
		return err
	}
	if err := alone(); err == nil {
		t.Error("it signs in to the closed account")
	}
	link := oneMail(t, s.store, account.MailClosed, "ada@example.org", now)
	if _, err := s.store.UseLink(ctx, link.Token, "", dbtest.Password, firefox, now); err != nil {
		t.Fatal(err)
	}
	if err := alone(); !errors.Is(err, twofactor.ErrSwitchedOff) {
		t.Errorf("alone: %v", err)
	}
	token := challenged(t, s.store, "ada@example.org", now)
	_, _, err := s.store.VerifyPasskey(ctx, party, token, assertion(t, a, stepOptions(t, s.store, token, now)), db.Client{}, now)
	if !errors.Is(err, twofactor.ErrSwitchedOff) {
		t.Errorf("as a second step: %v", err)
	}
	if _, err := s.store.VerifyCode(ctx, token, dbtest.Code(t, s.e.secret, now), db.Client{}, now); err != nil {
		t.Errorf("the app from before: %v", err)
	}
}
