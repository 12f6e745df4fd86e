package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"gatehouse/account"
	"gatehouse/db"
	"gatehouse/handlers"
	"gatehouse/mail"
	"gatehouse/views"
)

// mailFlags say how mails are sent. Without them none are.
type mailFlags struct {
	SMTP             string `name:"smtp" help:"Mail server: smtps://user@host:465, or smtp://host:587, which demands STARTTLS." env:"GATEHOUSE_SMTP" placeholder:"URL"`
	SMTPPasswordFile string `name:"smtp-password-file" help:"File that holds the password of the mail server's user." env:"GATEHOUSE_SMTP_PASSWORD_FILE" placeholder:"FILE" type:"path"`
	MailFrom         string `name:"mail-from" help:"Address that mails come from, e.g. portal@example.org." env:"GATEHOUSE_MAIL_FROM" placeholder:"ADDRESS"`
	InsecureSMTP     bool   `name:"insecure-smtp" help:"Accept smtp+plain:// to another machine, which sends mails and the password in the clear." env:"GATEHOUSE_INSECURE_SMTP"`
}

// mailSettings are the flags as read; a zero server is none.
type mailSettings struct {
	server mail.Server
	from   mail.Address
}

// settings reads the flags, or refuses them with a usageError.
func (f mailFlags) settings() (mailSettings, error) {
	if f.SMTP == "" && f.MailFrom == "" && f.SMTPPasswordFile == "" {
		return mailSettings{}, nil
	}
	if f.SMTP == "" {
		return mailSettings{}, usageError("mails need a server too: --smtp smtps://user@mail.example.org:465")
	}
	if f.MailFrom == "" {
		return mailSettings{}, usageError("mails need a sender too: --mail-from portal@example.org")
	}
	password := ""
	if f.SMTPPasswordFile != "" {
		content, err := os.ReadFile(f.SMTPPasswordFile)
		if err != nil {
			return mailSettings{}, fmt.Errorf("cannot read --smtp-password-file: %w", err)
		}
		if password = strings.TrimRight(string(content), "\r\n"); password == "" {
			return mailSettings{}, fmt.Errorf("%s holds no password", f.SMTPPasswordFile)
		}
	}
	server, err := mail.ParseServer(f.SMTP, password, f.InsecureSMTP)
	if err != nil {
		return mailSettings{}, usageError("--smtp: " + err.Error())
	}
	if server.User != "" && password == "" {
		return mailSettings{}, usageError("the mail server's user needs a password: --smtp-password-file FILE")
	}
	from, err := mail.ParseAddress(f.MailFrom)
	if err != nil {
		return mailSettings{}, usageError("--mail-from: " + err.Error())
	}
	return mailSettings{server: server, from: from}, nil
}

// sender returns the sender of a workspace's mails: with its name where the flag gives none.
func (m mailSettings) sender(workspace string) mail.Address {
	if m.from.Name != "" {
		return m.from
	}
	return mail.Address{Name: workspace, Email: m.from.Email}
}

// testMessage is the mail that tries the settings out.
func (m mailSettings) testMessage(to mail.Address, workspace, id string, zone *time.Location, now time.Time) mail.Message {
	subject, body := views.MailText(views.Mail{
		Kind:      account.MailTest,
		Workspace: workspace,
		Name:      to.Name,
		Zone:      zone,
		MadeAt:    now,
	})
	return mail.Message{
		ID:      id + "@" + m.from.Domain(),
		From:    m.sender(workspace),
		To:      to,
		Subject: subject,
		Body:    body,
		At:      now.In(zone),
	}
}

// testTimeout bounds a test mail that somebody waits for on a page, within the time that an
// answer may take.
const testTimeout = 20 * time.Second

// forPages is what the pages get of the settings; nil without a server.
func (m mailSettings) forPages(store *db.Store, zone *time.Location, now func() time.Time) *handlers.Mail {
	if m.server.IsZero() {
		return nil
	}
	return &handlers.Mail{
		Server: m.server.String(),
		From:   m.from.Email,
		Test: func(ctx context.Context, name, email string) (answer string, ok bool) {
			ctx, cancel := context.WithTimeout(ctx, testTimeout)
			defer cancel()
			workspace, err := store.WorkspaceName(ctx, now())
			if err != nil {
				return err.Error(), false
			}
			to := mail.Address{Name: name, Email: email}
			answer, err = m.server.Send(ctx, m.testMessage(to, workspace, db.NewMessageID(), zone, now()))
			if err != nil {
				return err.Error(), false
			}
			return answer, true
		},
	}
}

type mailCommands struct {
	Test mailTest `cmd:"" help:"Send a test mail and print what the server answers." example:"gatehouse mail test ada@example.org --smtp smtps://portal@mail.example.org --smtp-password-file smtp.password --mail-from portal@example.org"`
}

type mailTest struct {
	Address string `arg:"" help:"Where to send it."`

	mailFlags
}

// Run sends one mail, now, and prints the server's answer word for word.
func (c *mailTest) Run(env *commandEnv) error {
	settings, err := c.settings()
	if err != nil {
		return err
	}
	if settings.server.IsZero() {
		return usageError("name the mail server: --smtp smtps://user@mail.example.org:465 --mail-from portal@example.org, or GATEHOUSE_SMTP and GATEHOUSE_MAIL_FROM")
	}
	to, err := mail.ParseAddress(c.Address)
	if err != nil {
		return usageError("the address: " + err.Error())
	}
	zone, err := env.zone()
	if err != nil {
		return err
	}
	workspace := defaultWorkspace
	if has, err := env.hasWorkspace(); err == nil && has {
		if err := env.withStore(func(store *db.Store) (err error) {
			workspace, err = store.WorkspaceName(env.ctx, env.now())
			return err
		}); err != nil {
			return err
		}
	}
	if to.Name == "" {
		to.Name = "there"
	}
	answer, err := settings.server.Send(env.ctx, settings.testMessage(to, workspace, db.NewMessageID(), zone, env.now()))
	var failure mail.Failure
	if errors.As(err, &failure) {
		return fmt.Errorf("%s did not take the mail: %s", settings.server, failure.Text)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(env.Stdout, "%s has taken the mail to %s. It answered: %s\n", settings.server, to.Email, answer)
	return nil
}
