package handlers

import (
	"errors"
	"log/slog"

	"gatehouse/account"
	"gatehouse/db"
	"gatehouse/twofactor"
)

// The events of the log that are in no activity, in OWASP's logging vocabulary.
const (
	eventTokenFailed account.Event = "authn_token_fail" // a one-time link that does not exist
	eventWaits       account.Event = "authn_login_wait" // not looked at: the count or the address has to wait
)

// logFailure writes the line of a sign-in that failed: one stable event, the client's
// address, and nothing that was typed. docs/fail2ban reads it. Event and address come
// first and are ours, so that no text of a client's can pass for them.
func (s *Server) logFailure(rc *requestContext, event account.Event, method account.Method) {
	s.log.LogAttrs(rc.ctx(), slog.LevelWarn, "sign-in failed",
		slog.String("event", string(event)),
		slog.String("address", rc.client.Address),
		slog.String("method", string(method)),
		slog.String("request", requestID(rc.ctx())))
}

// logRefusal is logFailure for what refused a password, a code or a link; an answer that
// refuses nothing of the kind leaves no line.
func (s *Server) logRefusal(rc *requestContext, err error, method account.Method) {
	var wrong twofactor.WrongCode
	switch {
	case errors.As(err, new(twofactor.Wait)), errors.Is(err, twofactor.ErrClosed):
		s.logFailure(rc, eventWaits, method)
	case errors.As(err, &wrong), errors.Is(err, twofactor.ErrWrongPassword), errors.Is(err, twofactor.ErrWrongRecovery):
		s.logFailure(rc, account.SignInFailed, method)
	case method == account.ByLink && errors.Is(err, db.ErrNotFound):
		s.logFailure(rc, eventTokenFailed, method)
	}
}
