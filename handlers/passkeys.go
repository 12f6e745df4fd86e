package handlers

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"

	"gatehouse/account"
	"gatehouse/apps"
	"gatehouse/db"
	"gatehouse/passkeys"
	"gatehouse/twofactor"
	"gatehouse/views"
)

// passkeyCookie names a browser to the public ceremony: 128 random bits that its challenge
// is bound to.
const passkeyCookie = "gatehouse-passkey"

// PasskeyDomain returns the domain (WebAuthn's RP id) that passkeys are made for under a
// base URL, or why there is none, in a sentence. domain is what the operator has set
// instead of the host, or "".
func PasskeyDomain(scheme, host, domain string) (id, unable string) {
	if _, err := netip.ParseAddr(host); err == nil {
		return "", views.NeedsName
	}
	isLoopback := host == "localhost" || strings.HasSuffix(host, ".localhost")
	if scheme != "https" && !isLoopback {
		return "", views.NeedsHTTPS
	}
	if domain != "" {
		return domain, ""
	}
	return host, ""
}

// party is what passkeys are made for at the address of this request. unable says why they
// cannot work there.
func (s *Server) party(rc *requestContext) (p passkeys.Party, unable string, err error) {
	scheme, host := "http", rc.r.Host
	if s.base != nil {
		scheme, host = s.base.Scheme, s.base.Host
	}
	name, _ := splitHost(host)
	if s.base != nil {
		name = s.base.Hostname()
	}
	id, unable := PasskeyDomain(scheme, name, s.passkeyDomain)
	if unable != "" {
		return p, unable, nil
	}
	p = passkeys.Party{ID: id, Origins: append([]string{scheme + "://" + host}, s.passkeyOrigins...)}
	p.Name, err = s.store.WorkspaceName(rc.ctx(), rc.now)
	return p, "", err
}

// passkeyCard fills the card of passkeys for the visitor.
func (s *Server) passkeyCard(rc *requestContext, card *views.PasskeyCard) error {
	party, unable, err := s.party(rc)
	if err != nil {
		return err
	}
	card.Unable = unable
	list, err := s.store.Passkeys(rc.ctx(), rc.visitor)
	if err != nil {
		return err
	}
	for _, p := range list {
		row := views.Passkey{Handle: p.Handle, Name: p.Name, AddedAt: p.MadeAt, UsedAt: p.UsedAt, Synced: p.Synced()}
		if p.RPID != party.ID {
			row.MadeFor = p.RPID
		}
		card.Rows = append(card.Rows, row)
	}
	return nil
}

// showPasskeys shows the screen of both cards, after something was done about passkeys.
func (s *Server) showPasskeys(rc *requestContext, status int, card views.TwoFactor) error {
	if rc.visitor.State == twofactor.Pending || rc.visitor.Replacing { // it exists in the answer to Enable only
		if err := s.store.DiscardPending(rc.ctx(), rc.visitor); err != nil {
			return err
		}
	}
	e, err := s.store.TwoFactor(rc.ctx(), rc.visitor)
	if err != nil {
		return err
	}
	card.Enrollment = e
	return s.showTwoFactorScreen(rc, status, card)
}

// refusePasskey shows the card with what was refused.
func (s *Server) refusePasskey(rc *requestContext, err error) error {
	return s.showPasskeys(rc, s.refusalStatus(rc, err), views.TwoFactor{
		Passkeys: views.PasskeyCard{Alert: views.Refused(err, rc.now)},
	})
}

// beginPasskey asks the browser for a new passkey.
func (s *Server) beginPasskey(rc *requestContext) error {
	return s.askForPasskey(rc, http.StatusOK, views.PasskeyCard{})
}

// askForPasskey shows the card with a new ceremony.
func (s *Server) askForPasskey(rc *requestContext, status int, card views.PasskeyCard) error {
	party, unable, err := s.party(rc)
	if err != nil {
		return err
	}
	if unable != "" {
		return s.showPasskeys(rc, http.StatusUnprocessableEntity, views.TwoFactor{})
	}
	c, err := s.store.BeginPasskey(rc.ctx(), rc.visitor, party, rc.now)
	if db.IsRefusal(err) {
		return s.refusePasskey(rc, err)
	}
	if err != nil {
		return err
	}
	card.Options = c.Options
	return s.showPasskeys(rc, status, views.TwoFactor{Passkeys: card})
}

// addPasskey stores what the browser has made. The first factor of a person is answered
// with the recovery codes, once.
func (s *Server) addPasskey(rc *requestContext) error {
	party, unable, err := s.party(rc)
	if err != nil {
		return err
	}
	if unable != "" {
		return s.showPasskeys(rc, http.StatusUnprocessableEntity, views.TwoFactor{})
	}
	name := rc.r.PostFormValue("name")
	added, err := s.store.AddPasskey(rc.ctx(), rc.visitor, party, rc.r.PostFormValue("credential"), name, rc.client,
		rc.now)
	if problems, ok := fieldMessagesOf(err); ok {
		return s.askForPasskey(rc, s.refusalStatus(rc, err), views.PasskeyCard{Name: problems.field("name", name)})
	}
	if db.IsRefusal(err) {
		return s.refusePasskey(rc, err)
	}
	if err != nil {
		return err
	}
	card := views.TwoFactor{Success: views.PasskeyAdded(added.Name), Codes: added.Codes}
	if len(added.Codes) > 0 {
		card.Success = views.Confirmed()
	}
	return s.showChangedPasskeys(rc, added.RotatedSession, card)
}

// showChangedPasskeys goes on in the session that a change of factors leaves.
func (s *Server) showChangedPasskeys(rc *requestContext, rotated db.RotatedSession, card views.TwoFactor) error {
	if err := s.cookies.setCookie(rc, sessionCookie, rotated.Session); err != nil {
		return err
	}
	return s.showPasskeys(rc, http.StatusOK, card)
}

// renamePasskey gives a passkey another name.
func (s *Server) renamePasskey(rc *requestContext) error {
	handle, name := rc.r.PathValue("handle"), rc.r.PostFormValue("name")
	err := s.store.RenamePasskey(rc.ctx(), rc.visitor, handle, name, rc.client, rc.now)
	if problems, ok := fieldMessagesOf(err); ok {
		return s.showPasskeys(rc, s.refusalStatus(rc, err), views.TwoFactor{
			Passkeys: views.PasskeyCard{Rename: handle, Renaming: problems.field("name", name)},
		})
	}
	if err != nil {
		return err
	}
	return s.showPasskeys(rc, http.StatusOK, views.TwoFactor{Success: views.PasskeyRenamed()})
}

// removePasskey removes a passkey. The browser is told which are left.
func (s *Server) removePasskey(rc *requestContext) error {
	rotated, err := s.store.RemovePasskey(rc.ctx(), rc.visitor, rc.r.PathValue("handle"), rc.client, rc.now)
	if db.IsRefusal(err) {
		return s.refusePasskey(rc, err)
	}
	if err != nil {
		return err
	}
	card := views.TwoFactor{Success: views.PasskeyRemoved()}
	if card.Passkeys.Signal, err = s.signalAccepted(rc); err != nil {
		return err
	}
	return s.showChangedPasskeys(rc, rotated, card)
}

// removeAuthenticatorApp takes the app away from somebody who has a passkey, when the password
// is right.
func (s *Server) removeAuthenticatorApp(rc *requestContext) error {
	rotated, err := s.store.RemoveAuthenticatorApp(rc.ctx(), rc.visitor, rc.r.PostFormValue("password"), rc.client, rc.now)
	if errors.Is(err, twofactor.ErrLastFactor) || errors.Is(err, twofactor.ErrNotEnabled) {
		return s.refusePasskey(rc, err)
	}
	if db.IsRefusal(err) {
		return s.showPasskeys(rc, s.refusalStatus(rc, err), views.TwoFactor{
			RemoveApp: true,
			Alert:     views.PasswordRefused(err, rc.now),
		})
	}
	if err != nil {
		return err
	}
	return s.showChangedPasskeys(rc, rotated, views.TwoFactor{Success: views.AuthenticatorRemoved()})
}

// signalAccepted tells the browser which of the visitor's passkeys there still are.
func (s *Server) signalAccepted(rc *requestContext) (string, error) {
	party, unable, err := s.party(rc)
	if err != nil || unable != "" {
		return "", err
	}
	accepted, err := s.store.AcceptedPasskeys(rc.ctx(), rc.visitor, party)
	if err != nil {
		return "", err
	}
	ids := make([]string, 0, len(accepted.IDs))
	for _, id := range accepted.IDs {
		ids = append(ids, base64URL(id))
	}
	return signal(map[string]any{
		"rpId":                     party.ID,
		"userId":                   base64URL(accepted.UserHandle),
		"allAcceptedCredentialIds": ids,
	})
}

func base64URL(raw []byte) string { return base64.RawURLEncoding.EncodeToString(raw) }

// signal writes what the page's script hands to the Signal API.
func signal(about map[string]any) (string, error) {
	text, err := json.Marshal(about)
	if err != nil {
		return "", fmt.Errorf("writing a signal: %w", err)
	}
	return string(text), nil
}

// beginPasskeySignIn gives the sign-in page's script what to ask the browser for. It stores
// nothing: the challenge proves itself.
func (s *Server) beginPasskeySignIn(rc *requestContext) error {
	party, unable, err := s.party(rc)
	if err != nil {
		return err
	}
	if unable != "" {
		return errPageNotFound
	}
	browser := s.cookies.token(rc.r, passkeyCookie)
	if len(browser) < 22 {
		browser = base64URL(passkeys.NewChallenge())[:22]
		if err := s.cookies.setCookie(rc, passkeyCookie, browser); err != nil {
			return err
		}
	}
	c, err := s.store.BeginPasskeySignIn(party, browser, rc.now)
	if err != nil {
		return err
	}
	rc.w.Header().Set("Content-Type", "application/json")
	_, _ = rc.w.Write([]byte(c.Options)) // the browser may be gone
	return nil
}

// signInWithPasskey signs somebody in without a password.
func (s *Server) signInWithPasskey(rc *requestContext) error {
	party, unable, err := s.party(rc)
	if err != nil {
		return err
	}
	if unable != "" {
		return errPageNotFound
	}
	card := views.SignIn{Next: localPath(rc.r.PostFormValue("next"))}
	result, unknown, err := s.store.SignInWithPasskey(rc.ctx(), party, s.cookies.token(rc.r, passkeyCookie),
		rc.r.PostFormValue("credential"), card.Next, rc.client, rc.now)
	s.logRefusal(rc, err, account.ByPasskey)
	if db.IsRefusal(err) {
		card.PasskeyAlert = views.Refused(err, rc.now)
		card.Wait, _ = retryAfter(err, rc.now)
		if errors.Is(err, twofactor.ErrWrongPasskey) && unknown != nil {
			if card.Signal, err = signal(map[string]any{"rpId": party.ID, "credentialId": base64URL(unknown)}); err != nil {
				return err
			}
			err = twofactor.ErrWrongPasskey
		}
		return s.showSignInCard(rc, s.refusalStatus(rc, err), card)
	}
	if err != nil {
		return err
	}
	if err := s.cookies.setCookies(rc, result); err != nil {
		return err
	}
	return s.redirectAfterSignIn(rc, result)
}

// verifyPasskey passes the second step with a passkey.
func (s *Server) verifyPasskey(rc *requestContext) error {
	party, unable, err := s.party(rc)
	if err != nil {
		return err
	}
	if unable != "" {
		return s.refusePasskeyStep(rc, twofactor.ErrWrongPasskey)
	}
	result, left, err := s.store.VerifyPasskey(rc.ctx(), party, rc.token, rc.r.PostFormValue("credential"), rc.client,
		rc.now)
	if errors.Is(err, twofactor.ErrWrongPasskey) && left == 0 {
		s.logFailure(rc, account.SignInFailedMax, account.ByPasskey)
		return s.showChallengeEnded(rc, err)
	}
	s.logRefusal(rc, err, account.ByPasskey)
	return s.finishChallenge(rc, result, err, s.refusePasskeyStep)
}

func (s *Server) refusePasskeyStep(rc *requestContext, refusal error) error {
	again, err := s.store.Challenge(rc.ctx(), rc.token, rc.now) // the ceremony is new after each refusal
	if err != nil {
		return err
	}
	rc.challenge = again
	card := views.Challenge{PasskeyAlert: views.Refused(refusal, rc.now)}
	return s.showChallengeCard(rc, s.refusalStatus(rc, refusal), card)
}

// passkeyStep fills in what the challenge offers of passkeys.
func (s *Server) passkeyStep(rc *requestContext, card *views.Challenge) error {
	party, _, err := s.party(rc)
	if err != nil {
		return err
	}
	step, err := s.store.PasskeyStep(rc.ctx(), party, rc.challenge)
	if err != nil {
		return err
	}
	card.Passkey, card.MadeFor, card.NoApp = step.Options, step.MadeFor, step.NoApp
	if card.NoApp && !card.CodeAlert.IsZero() { // a code all the same: there is no field that it could be about
		card.RecoveryAlert, card.CodeAlert = card.CodeAlert, views.Message{}
	}
	return nil
}

// proveAgainByPasskey takes the proof that showAgainPage asks for, by a passkey.
func (s *Server) proveAgainByPasskey(rc *requestContext) error {
	rc.r.PostForm.Set("again", "passkey")
	return s.proveAgain(rc)
}

// relatedOriginsPath is where browsers ask a domain which other origins may use its passkeys
// (WebAuthn Level 3, 5.11).
const relatedOriginsPath = "/.well-known/webauthn"

// isRelatedOrigins reports whether a request asks the domain of passkeys for that, under its
// own name, which is not the workspace's.
func (s *Server) isRelatedOrigins(r *http.Request) bool {
	if s.passkeyDomain == "" || r.URL.Path != relatedOriginsPath {
		return false
	}
	given, _ := splitHost(r.Host)
	name, err := apps.CanonicalHost(given)
	return err == nil && name == s.passkeyDomain
}

// showRelatedOrigins answers it: the workspace's own origin, and those that the operator has
// named.
func (s *Server) showRelatedOrigins(rc *requestContext) error {
	if s.passkeyDomain == "" || s.base == nil {
		return errPageNotFound
	}
	text, err := json.Marshal(map[string][]string{
		"origins": append([]string{s.base.String()}, s.passkeyOrigins...),
	})
	if err != nil {
		return fmt.Errorf("writing the related origins: %w", err)
	}
	rc.w.Header().Set("Content-Type", "application/json")
	_, _ = rc.w.Write(text) // the browser may be gone
	return nil
}
