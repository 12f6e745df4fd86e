package db_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/account"
	"gatehouse/db"
	"gatehouse/db/dbtest"
	"gatehouse/twofactor"
)

// withMail opens a store that sends mails.
func withMail(t *testing.T) *db.Store {
	t.Helper()
	store := dbtest.Open(t)
	if err := store.SetMailFrom(ctx, "portal@example.org", start); err != nil {
		t.Fatal(err)
	}
	return store
}

// drain takes every mail that is due and marks it as sent.
func drain(t *testing.T, store *db.Store, now time.Time) []db.Mail {
	t.Helper()
	var all []db.Mail
	for {
		m, err := store.ClaimMail(ctx, now)
		if errors.Is(err, db.ErrNotFound) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := store.MailSent(ctx, m, "250 OK", now); err != nil {
			t.Fatal(err)
		}
		all = append(all, m)
	}
}

// oneMail drains one mail of a kind to an address, and nothing else.
func oneMail(t *testing.T, store *db.Store, kind account.MailKind, email string, now time.Time) db.Mail {
	t.Helper()
	all := drain(t, store, now)
	if len(all) != 1 || all[0].Kind != kind || all[0].Email != email {
		t.Fatalf("got %s; want one %s to %s", mailList(all), kind, email)
	}
	return all[0]
}

func mailList(all []db.Mail) string {
	var list []string
	for _, m := range all {
		list = append(list, fmt.Sprintf("%s(%s) to %s", m.Kind, m.Activity.Event, m.Email))
	}
	return strings.Join(list, ", ")
}

var firefox = db.Client{Address: "192.0.2.7", Browser: "Mozilla/5.0 Firefox/140.0 Linux"}

// TestMailsOfEvents does what is mailed, and looks to whom.
func TestMailsOfEvents(t *testing.T) {
	t.Parallel()
	store := withMail(t)
	dbtest.Add(t, store, "root@example.org", twofactor.SuperAdmin)
	ada := dbtest.Add(t, store, "ada@example.org", twofactor.Member)
	root := signIn(t, store, "root@example.org", start).Author(db.Client{Address: "192.0.2.1"})
	machine := db.Machine("root").Author()
	e := enrol(t, store, "ada@example.org", start) // the first sign-in of somebody is no news
	code := func(now time.Time) string { return dbtest.Code(t, e.secret, now) }
	now := start
	later := func() time.Time { now = now.Add(time.Hour); return now }
	drain(t, store, now)
	var known db.Client
	for _, c := range []struct {
		name string
		do   func() error
		want []string
	}{
		{"a browser that is not known", func() error {
			token := challenged(t, store, "ada@example.org", later())
			r, err := store.VerifyCode(ctx, token, code(now), firefox, now)
			known = db.Client{Address: "192.0.2.7", Known: r.Browser}
			return err
		}, []string{"event(authn_login_success) to ada@example.org"}},
		{"a browser that is known", func() error {
			token := challenged(t, store, "ada@example.org", later())
			r, err := store.VerifyCode(ctx, token, code(now), known, now)
			if err != nil {
				return err
			}
			e.visitor = visitor(t, store, r.Session, now)
			return err
		}, nil},
		{"a recovery code, from a browser that is known", func() error {
			token := challenged(t, store, "ada@example.org", later())
			r, _, err := store.RedeemRecoveryCode(ctx, token, e.codes[0].Text(), known, now)
			if err != nil {
				return err
			}
			e.visitor = visitor(t, store, r.Session, now)
			return err
		}, []string{"event(authn_login_success) to ada@example.org"}},
		{"a wrong code", func() error {
			_, err := store.VerifyCode(ctx, challenged(t, store, "ada@example.org", now), "000000", firefox, now)
			if !db.IsRefusal(err) {
				return err
			}
			return nil
		}, nil},
		{"a password", func() error {
			if err := store.Reauthenticate(ctx, e.visitor, dbtest.Password, known, now); err != nil {
				return err
			}
			r, err := store.ChangePassword(ctx, e.visitor, dbtest.Password, dbtest.Password+"!", known, now)
			if err != nil {
				return err
			}
			e.visitor = visitor(t, store, r.Session, now)
			return err
		}, []string{"event(authn_password_change) to ada@example.org"}},
		{"an address, by an admin", func() error {
			return store.ChangePerson(ctx, ada, account.Seen{}, db.NewPerson{
				Name:  "Ada",
				Email: "lovelace@example.org",
				Role:  twofactor.Member,
			}, machine, later())
		}, []string{"event(user_updated) to ada@example.org", "event(user_updated) to lovelace@example.org"}},
		{"a name, which is no news", func() error {
			return store.ChangePerson(ctx, ada, account.Seen{}, db.NewPerson{
				Name:  "Ada L.",
				Email: "lovelace@example.org",
				Role:  twofactor.Member,
			}, machine, later())
		}, nil},
		{"a reset by an admin", func() error { return store.ResetTwoFactor(ctx, ada, root, now) },
			[]string{"event(authn_factor_reset) to lovelace@example.org"}},
		{"break-glass: the person and all admins", func() error {
			return store.SetPassword(ctx, ada, dbtest.Password+"?", machine, later())
		}, []string{"event(authn_password_change) to lovelace@example.org", "admins(authn_password_change) to root@example.org"}},
		{"an admin made", func() error { return store.SetRole(ctx, ada, twofactor.Administrator, root, now) },
			[]string{"admins(privilege_permissions_changed) to root@example.org",
				"admins(privilege_permissions_changed) to lovelace@example.org"}},
		{"an admin no more", func() error { return store.SetRole(ctx, ada, twofactor.Member, root, now) }, nil},
		{"a policy setting", func() error { return store.SetPolicy(ctx, twofactor.Policy{Admins: true}, root, now) },
			[]string{"admins(sys_policy_changed) to root@example.org"}},
		{"what happens to somebody who cannot sign in", func() error {
			if err := store.SetActive(ctx, ada, false, root, later()); err != nil {
				return err
			}
			return store.SetPassword(ctx, ada, dbtest.Password+"+", root, now)
		}, nil},
	} {
		if err := c.do(); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		got := strings.Split(mailList(drain(t, store, now)), ", ")
		slices.Sort(got)
		slices.Sort(c.want)
		if !slices.Equal(got, append([]string{}, c.want...)) && !(len(c.want) == 0 && got[0] == "") {
			t.Errorf("%s: got %q; want %q", c.name, got, c.want)
		}
	}
}

// TestSignInMailsAreBounded signs in over and over without cookies: the owner gets ten mails an hour,
// and one about the password all the same.
func TestSignInMailsAreBounded(t *testing.T) {
	t.Parallel()
	store := withMail(t)
	ada := dbtest.Add(t, store, "ada@example.org", twofactor.Member)
	for range 30 {
		signIn(t, store, "ada@example.org", start)
	}
	if err := store.SetPassword(ctx, ada, dbtest.Password+"!", db.Machine("root").Author(), start); err != nil {
		t.Fatal(err)
	}
	counts := map[account.Event]int{}
	for _, m := range drain(t, store, start) {
		counts[m.Activity.Event]++
	}
	if counts[account.SignedIn] != 10 || counts[account.PasswordChanged] != 1 {
		t.Errorf("got %v", counts)
	}
}

// TestNoMailServer makes no row and no link while no mail server is set, and gives up what
// waits when there is none any more.
func TestNoMailServer(t *testing.T) {
	t.Parallel()
	store := dbtest.Open(t)
	dbtest.Add(t, store, "root@example.org", twofactor.SuperAdmin)
	ada := dbtest.Add(t, store, "ada@example.org", twofactor.Member)
	machine := db.Machine("root").Author()
	if err := store.SetPassword(ctx, ada, dbtest.Password+"!", machine, start); err != nil {
		t.Fatal(err)
	}
	if token, err := store.MailLink(ctx, ada, machine, start); err != nil || token == "" {
		t.Errorf("a link that nobody mails: %q, %v", token, err)
	}
	if rows, err := store.Outbox(ctx); err != nil || len(rows) != 0 {
		t.Errorf("%+v, %v; want nothing", rows, err)
	}
	if err := store.SetMailFrom(ctx, "portal@example.org", start); err != nil {
		t.Fatal(err)
	}
	if token, err := store.MailLink(ctx, ada, machine, start); err != nil || token != "" {
		t.Errorf("a link that is mailed: %q, %v", token, err)
	}
	if err := store.SetMailFrom(ctx, "", start); err != nil {
		t.Fatal(err)
	}
	if rows, err := store.Outbox(ctx); err != nil || len(rows) != 1 || rows[0].State != "given-up" {
		t.Errorf("%+v, %v; want one that is given up", rows, err)
	}
}

// TestRetries tries a mail again after 1, 5 and 30 minutes, 2, 6, 12 and 24 hours, gives it up
// then, erases its link, and tells admins once.
func TestRetries(t *testing.T) {
	t.Parallel()
	store := withMail(t)
	dbtest.Add(t, store, "root@example.org", twofactor.SuperAdmin)
	ada := dbtest.Add(t, store, "ada@example.org", twofactor.Member)
	machine := db.Machine("root").Author()
	if err := store.SetPassword(ctx, ada, dbtest.Password+"!", machine, start); err != nil {
		t.Fatal(err)
	}
	now, id := start, ""
	for i, wait := range []time.Duration{0, time.Minute, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 6 * time.Hour,
		12 * time.Hour, 24 * time.Hour} {
		if _, err := store.ClaimMail(ctx, now.Add(wait-time.Second)); wait > 0 && !errors.Is(err, db.ErrNotFound) {
			t.Fatalf("try %d comes before its time: %v", i+1, err)
		}
		now = now.Add(wait)
		failed := 0
		for {
			m, err := store.ClaimMail(ctx, now)
			if errors.Is(err, db.ErrNotFound) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if m.Kind == account.MailEvent && id != "" && m.MessageID != id {
				t.Errorf("another Message-ID: %s, %s", m.MessageID, id)
			}
			if m.Kind == account.MailEvent {
				id = m.MessageID
			}
			failed++
			if err := store.MailFailed(ctx, m, false, "450 later", now); err != nil {
				t.Fatal(err)
			}
		}
		if failed != 2 {
			t.Fatalf("try %d: %d mails; want that to Ada and that to the admin", i+1, failed)
		}
	}
	rows, err := store.Outbox(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		if r.State != "given-up" || r.Answer != "450 later" || r.Tries != 8 {
			t.Errorf("%+v; want it given up after 8 tries", r)
		}
	}
	notices, err := store.Notices(ctx)
	if err != nil {
		t.Fatal(err)
	}
	told := 0
	for _, n := range notices.Newest {
		if n.Event == account.MailGivenUp {
			told++
		}
	}
	if told != 1 {
		t.Errorf("%d notices of mails; want one", told)
	}
	requireNoSecrets(t, store)
}

// requireNoSecrets looks for links that are left in the outbox.
func requireNoSecrets(t *testing.T, store *db.Store) {
	t.Helper()
	if n, err := store.Check(ctx); err != nil || n != 0 {
		t.Errorf("%d sealed secrets are left, %v", n, err)
	}
}

// TestPermanentRefusal gives a mail up at once.
func TestPermanentRefusal(t *testing.T) {
	t.Parallel()
	store := withMail(t)
	ada := dbtest.Add(t, store, "ada@example.org", twofactor.Member)
	if _, err := store.MailLink(ctx, ada, db.Machine("root").Author(), start); err != nil {
		t.Fatal(err)
	}
	m, err := store.ClaimMail(ctx, start)
	if err != nil || m.Token == "" {
		t.Fatal(m, err)
	}
	if err := store.MailFailed(ctx, m, true, "550 no such user", start); err != nil {
		t.Fatal(err)
	}
	if all := drain(t, store, start.Add(48*time.Hour)); len(all) != 0 {
		t.Errorf("it was tried again: %s", mailList(all))
	}
	requireNoSecrets(t, store)
}

// TestEachMailIsSentByOne has many senders take from one outbox: none gets what another has,
// and what a dead one had is free again after its time.
func TestEachMailIsSentByOne(t *testing.T) {
	t.Parallel()
	store := withMail(t)
	machine := db.Machine("root").Author()
	const people = 30
	for i := range people {
		id := dbtest.Add(t, store, fmt.Sprintf("p%d@example.org", i), twofactor.Member)
		if _, err := store.MailLink(ctx, id, machine, start); err != nil {
			t.Fatal(err)
		}
	}
	var mu sync.Mutex
	seen := map[string]int{}
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for {
				m, err := store.ClaimMail(ctx, start)
				if errors.Is(err, db.ErrNotFound) {
					due, err := store.MailDue(ctx, start)
					if err != nil || !due {
						return
					}
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				seen[m.MessageID]++
				mu.Unlock()
			}
		})
	}
	wait.Wait()
	if len(seen) != people {
		t.Errorf("%d mails were taken; want %d", len(seen), people)
	}
	for id, n := range seen {
		if n != 1 {
			t.Errorf("%s was taken %d times", id, n)
		}
	}
	again := drain(t, store, start.Add(5*time.Minute)) // whoever had them is dead
	if len(again) != people {
		t.Errorf("%d are free again; want %d", len(again), people)
	}
	for _, m := range again {
		if seen[m.MessageID] != 1 {
			t.Errorf("%s is new", m.MessageID)
		}
	}
}

// TestLateSenderChangesNothing has a sender that comes back after another took its mail.
func TestLateSenderChangesNothing(t *testing.T) {
	t.Parallel()
	store := withMail(t)
	ada := dbtest.Add(t, store, "ada@example.org", twofactor.Member)
	if _, err := store.MailLink(ctx, ada, db.Machine("root").Author(), start); err != nil {
		t.Fatal(err)
	}
	late, err := store.ClaimMail(ctx, start)
	if err != nil {
		t.Fatal(err)
	}
	now := start.Add(time.Hour)
	m, err := store.ClaimMail(ctx, now)
	if err != nil {
		t.Fatal(err)
	}
	if err := store.MailFailed(ctx, late, true, "550 no", now); err != nil {
		t.Fatal(err)
	}
	if err := store.MailSent(ctx, m, "250 OK", now); err != nil {
		t.Fatal(err)
	}
	rows, err := store.Outbox(ctx)
	if err != nil || len(rows) != 1 || rows[0].State != "sent" || rows[0].Answer != "250 OK" {
		t.Errorf("%+v, %v; want it sent", rows, err)
	}
}

// TestMailsEndWithTheirLinks makes a link anew, changes an address, signs in: a mail whose link
// has ended is not sent.
func TestMailsEndWithTheirLinks(t *testing.T) {
	t.Parallel()
	machine := db.Machine("root").Author()
	for name, end := range map[string]func(t *testing.T, store *db.Store, ada int64) error{
		"a new link that is shown": func(t *testing.T, store *db.Store, ada int64) error {
			token, err := store.NewLink(ctx, ada, machine, start)
			if err == nil && token == "" {
				t.Error("it is not shown")
			}
			return err
		},
		"an address": func(t *testing.T, store *db.Store, ada int64) error {
			return store.ChangePerson(ctx, ada, account.Seen{}, db.NewPerson{
				Name:  "Ada",
				Email: "b@example.org",
				Role:  twofactor.Member,
			}, machine, start)
		},
		"a sign-in": func(t *testing.T, store *db.Store, ada int64) error {
			signIn(t, store, "ada@example.org", start)
			return nil
		},
		"a deactivation": func(t *testing.T, store *db.Store, ada int64) error {
			return store.SetActive(ctx, ada, false, machine, start)
		},
		"a day": func(t *testing.T, store *db.Store, ada int64) error {
			return store.Sweep(ctx, start.Add(db.LinkTTL))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := withMail(t)
			ada := dbtest.Add(t, store, "ada@example.org", twofactor.Member)
			if _, err := store.MailLink(ctx, ada, machine, start); err != nil {
				t.Fatal(err)
			}
			if err := end(t, store, ada); err != nil {
				t.Fatal(err)
			}
			for _, m := range drain(t, store, start) {
				if m.Kind == account.MailPassword {
					t.Error("it is sent")
				}
			}
			rows, err := store.Outbox(ctx)
			if err != nil || rows[len(rows)-1].State != "given-up" {
				t.Errorf("%+v, %v; want it given up", rows, err)
			}
			requireNoSecrets(t, store)
		})
	}
}

// TestForgotPassword mails a link once an hour, which sets the password; whoever has no account
// or cannot sign in gets nothing, and hears the same.
func TestForgotPassword(t *testing.T) {
	t.Parallel()
	store := withMail(t)
	dbtest.Add(t, store, "root@example.org", twofactor.SuperAdmin)
	ada := dbtest.Add(t, store, "ada@example.org", twofactor.Member)
	machine := db.Machine("root").Author()
	e := enrol(t, store, "ada@example.org", start)
	drain(t, store, start)
	forgot := func(email string, now time.Time) {
		t.Helper()
		if err := store.ForgotPassword(ctx, email, firefox, now); err != nil {
			t.Fatal(err)
		}
	}
	forgot("nobody@example.org", start)
	forgot("", start)
	forgot("Ada@EXAMPLE.org ", start)
	first := oneMail(t, store, account.MailForgot, "ada@example.org", start)
	forgot("ada@example.org", start.Add(59*time.Minute))
	if all := drain(t, store, start.Add(59*time.Minute)); len(all) != 0 {
		t.Errorf("a second one within the hour: %s", mailList(all))
	}
	now := start.Add(61 * time.Minute)
	if _, err := store.Link(ctx, first.Token, now); !errors.Is(err, db.ErrNotFound) {
		t.Errorf("after an hour it opens: %v", err)
	}
	forgot("ada@example.org", now)
	second := oneMail(t, store, account.MailForgot, "ada@example.org", now)
	if _, err := store.UseLink(ctx, first.Token, "", dbtest.Password+"1", firefox, now); !errors.Is(err, db.ErrNotFound) {
		t.Errorf("the former one works: %v", err)
	}
	if _, err := store.UseLink(ctx, second.Token, "", dbtest.Password+"2", firefox, now); err != nil {
		t.Fatal(err)
	}
	if _, err := store.UseLink(ctx, second.Token, "", dbtest.Password+"3", firefox, now); !errors.Is(err, db.ErrNotFound) {
		t.Errorf("it works twice: %v", err)
	}
	r, err := store.SignIn(ctx, "ada@example.org", dbtest.Password+"2", "", firefox, now)
	if err != nil || r.Challenge == "" || r.Session != "" {
		t.Errorf("%+v, %v; want the second step", r, err)
	}
	if _, err := store.Visitor(ctx, e.token, now); !errors.Is(err, db.ErrSignedOut) {
		t.Errorf("the sessions from before: %v", err)
	}
	oneMail(t, store, account.MailEvent, "ada@example.org", now)

	now = now.Add(2 * time.Hour)
	if err := store.SetActive(ctx, ada, false, machine, now); err != nil {
		t.Fatal(err)
	}
	drain(t, store, now)
	forgot("ada@example.org", now)
	if all := drain(t, store, now); len(all) != 0 {
		t.Errorf("somebody deactivated: %s", mailList(all))
	}
	id, _, err := store.Invite(ctx, db.NewPerson{Name: "Cy", Email: "cy@example.org", Role: twofactor.Member}, machine, now)
	if err != nil {
		t.Fatal(err)
	}
	drain(t, store, now)
	forgot("cy@example.org", now)
	invitation := oneMail(t, store, account.MailInvitation, "cy@example.org", now)
	if l, err := store.Link(ctx, invitation.Token, now); err != nil || l.Kind != account.Invitation || l.Person != id {
		t.Errorf("the invitation anew: %+v, %v", l, err)
	}
	now = now.Add(2 * db.LinkTTL)
	forgot("cy@example.org", now)
	if all := drain(t, store, now); len(all) != 0 {
		t.Errorf("an invitation that has expired comes back by itself: %s", mailList(all))
	}
}

// TestForgotPasswordFlood bounds what one network asks for, of known addresses and unknown
// ones alike, and counts neither more.
func TestForgotPasswordFlood(t *testing.T) {
	t.Parallel()
	store := withMail(t)
	dbtest.Add(t, store, "ada@example.org", twofactor.Member)
	for i := range 20 {
		email := "ada@example.org"
		if i%2 == 0 {
			email = fmt.Sprintf("nobody%d@example.org", i)
		}
		if err := store.ForgotPassword(ctx, email, firefox, start); err != nil {
			t.Fatalf("%d: %v", i, err)
		}
	}
	for _, email := range []string{"ada@example.org", "nobody@example.org"} {
		var wait twofactor.Wait
		if err := store.ForgotPassword(ctx, email, firefox, start); !errors.As(err, &wait) {
			t.Errorf("%s: %v; want Wait", email, err)
		}
	}
	if all := drain(t, store, start); len(all) != 1 {
		t.Errorf("%s; want one", mailList(all))
	}
}

// TestOutboxKeepsNoLinkInItsList looks for a link in what admins see, and where it was.
func TestOutboxKeepsNoLinkInItsList(t *testing.T) {
	t.Parallel()
	store := withMail(t)
	ada := dbtest.Add(t, store, "ada@example.org", twofactor.Member)
	if _, err := store.MailLink(ctx, ada, db.Machine("root").Author(), start); err != nil {
		t.Fatal(err)
	}
	m, err := store.ClaimMail(ctx, start)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := store.Outbox(ctx)
	if err != nil || strings.Contains(fmt.Sprintf("%+v", rows), m.Token) {
		t.Errorf("%+v, %v", rows, err)
	}
	if err := store.MailSent(ctx, m, "250 OK", start); err != nil {
		t.Fatal(err)
	}
	requireNoSecrets(t, store)
}

// runMails goes through what mails need.
func runMails(t *testing.T, store *db.Store, bob int64, now time.Time) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	machine, client := db.Machine("root").Author(), db.Client{Address: "192.0.2.77", Browser: "curl/8"}
	must(store.SetMailFrom(ctx, "portal@example.org", now))
	must(store.SetPassword(ctx, bob, dbtest.Password, machine, now))
	_, err := store.MailLink(ctx, bob, machine, now)
	must(err)
	must(store.SetPassword(ctx, bob, dbtest.Password, machine, now)) // ends the link
	v := signIn(t, store, "bob@example.org", now)
	must(store.SetSignInMails(ctx, v, true))
	_, err = store.SignInMails(ctx, v)
	must(err)
	must(store.HidePolicy(ctx, v, now.Add(time.Hour)))
	_, err = store.PolicyHiddenUntil(ctx, v)
	must(err)
	now = now.Add(time.Hour)
	must(store.ForgotPassword(ctx, "bob@example.org", client, now))
	now = now.Add(2 * time.Hour)
	must(store.ForgotPassword(ctx, "bob@example.org", client, now))
	var forgot, notMe string
	for {
		m, err := store.ClaimMail(ctx, now)
		if errors.Is(err, db.ErrNotFound) {
			break
		}
		must(err)
		switch m.Kind {
		case account.MailForgot:
			forgot = m.Token
			must(store.MailFailed(ctx, m, false, "450 later", now))
		case account.MailEvent:
			notMe = m.Token
			must(store.MailSent(ctx, m, "250 OK", now))
		default:
			must(store.MailFailed(ctx, m, true, "550 never", now))
		}
	}
	must(store.MailReturned(ctx, db.Mail{}))
	must(store.ReleaseMails(ctx))
	_, err = store.Outbox(ctx)
	must(err)
	_, err = store.UseLink(ctx, forgot, "", dbtest.Password, client, now)
	must(err)
	v = signIn(t, store, "bob@example.org", now)
	must(store.AddTestMail(ctx, v, "250 OK", false, now))
	_, err = store.NotMe(ctx, notMe, now)
	must(err)
	_, err = store.CloseAccount(ctx, notMe, client, now)
	must(err)
	_, err = store.Suspicion(ctx, bob)
	must(err)
	must(store.SetPassword(ctx, bob, dbtest.Password, machine, now))
	must(store.TurnFactorsOn(ctx, signIn(t, store, "bob@example.org", now), client, now))
	for _, p := range []twofactor.Policy{{EveryoneFrom: now.Add(time.Hour)}, {AdminsFrom: now.Add(time.Hour)}} {
		now = now.Add(time.Minute)
		must(store.SetPolicy(ctx, p, machine, now))
		_, err = store.SendReminders(ctx, now)
		must(err)
	}
	must(store.RemindOfPolicy(ctx, machine, now.Add(time.Second)))
	for _, p := range []twofactor.Policy{{Everyone: true}, {Admins: true}} {
		_, _, err = store.Readiness(ctx, p)
		must(err)
	}
	_, err = store.LastReminded(ctx)
	must(err)
	must(store.SetMailFrom(ctx, "", now))
}
