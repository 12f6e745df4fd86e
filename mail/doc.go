// Package mail hands plain-text mails to an SMTP server: it reads the server's address,
// composes messages whose headers nobody can break, and tells refusals that last from those
// that may pass. It knows nothing of people, links or the database.
package mail
