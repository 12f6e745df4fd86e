package cli

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"gatehouse/account"
	"gatehouse/db"
	"gatehouse/mail"
	"gatehouse/views"
)

const (
	// senders is how many mails are sent at once: a server that hangs must not stop them all.
	senders = 3

	// outboxInterval is how often the outbox is looked at.
	outboxInterval = time.Second

	// remindInterval is how often people may be due to be reminded of a policy.
	remindInterval = 5 * time.Second
)

// A postman sends what the outbox holds, one mail after the other, until its context ends. Any
// process may have one: the store gives each mail to one of them.
type postman struct {
	mailSettings
	store *db.Store
	base  string // the workspace's own address
	zone  *time.Location
	now   func() time.Time
	log   *slog.Logger
}

// run begins to send. Whoever is the only one takes back what a process before it had
// claimed.
func (p *postman) run(ctx context.Context) {
	if !p.store.IsShared() {
		if err := p.store.ReleaseMails(ctx); err != nil {
			p.log.Error("cannot take the outbox over", "error", err)
		}
	}
	for range senders {
		go every(ctx, outboxInterval, func() { p.sendAll(ctx) })
	}
	go every(ctx, remindInterval, func() { p.remind(ctx) })
}

// every calls do at once and then from time to time.
func every(ctx context.Context, interval time.Duration, do func()) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		do()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// sendAll sends until nothing is due.
func (p *postman) sendAll(ctx context.Context) {
	for ctx.Err() == nil {
		m, err := p.store.ClaimMail(ctx, p.now())
		if errors.Is(err, db.ErrNotFound) {
			return
		}
		if err == nil {
			err = p.send(ctx, m)
		}
		if err != nil && ctx.Err() == nil {
			p.log.Error("sending mails failed", "error", err)
			return
		}
	}
}

// send sends one mail and notes what became of it. What the server has taken is noted even
// when the program is being stopped.
func (p *postman) send(ctx context.Context, m db.Mail) error {
	subject, body := views.MailText(p.text(m))
	answer, err := p.server.Send(ctx, mail.Message{
		ID:      m.MessageID,
		From:    p.sender(m.Workspace),
		To:      mail.Address{Name: m.Name, Email: m.Email},
		Subject: subject,
		Body:    body,
		At:      m.MadeAt.In(p.zone),
	})
	var failure mail.Failure
	switch {
	case err == nil:
		return p.store.MailSent(context.WithoutCancel(ctx), m, answer, p.now())
	case ctx.Err() != nil:
		return p.store.MailReturned(context.WithoutCancel(ctx), m)
	case errors.As(err, &failure):
		p.log.Warn("a mail was not taken", "kind", m.Kind, "permanent", failure.Permanent, "answer", failure.Text)
		return p.store.MailFailed(ctx, m, failure.Permanent, failure.Text, p.now())
	}
	return err
}

// text is what the text of a mail is made of.
func (p *postman) text(m db.Mail) views.Mail {
	return views.Mail{
		Kind:      m.Kind,
		Workspace: m.Workspace,
		Base:      p.base,
		Zone:      p.zone,
		Name:      m.Name,
		Account:   m.Account,
		CodesLeft: m.CodesLeft,
		Token:     m.Token,
		Detail:    m.Detail,
		EndsAt:    m.MadeAt.Add(linkTTL(m.Kind)),
		MadeAt:    m.MadeAt,
		Event:     m.Activity.Event,
		At:        m.Activity.At,
		Method:    m.Activity.Method,
		About:     m.Activity.Detail,
		Address:   m.Activity.Address,
		By:        m.Activity.Actor,
		Subject:   m.Activity.Subject,
	}
}

// linkTTL is how long the link of a mail works.
func linkTTL(kind account.MailKind) time.Duration {
	switch kind {
	case account.MailForgot:
		return db.ForgotTTL
	case account.MailEvent:
		return db.NotMeTTL
	}
	return db.LinkTTL
}

// remind writes the mails about a policy that is to come.
func (p *postman) remind(ctx context.Context) {
	for more := true; more && ctx.Err() == nil; {
		var err error
		if more, err = p.store.SendReminders(ctx, p.now()); err != nil {
			if ctx.Err() == nil {
				p.log.Error("reminding people of the policy failed", "error", err)
			}
			return
		}
	}
}
