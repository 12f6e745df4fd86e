package handlers

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"gatehouse/apps"
	"gatehouse/db"
	"gatehouse/openid"
	"gatehouse/twofactor"
	"gatehouse/views"
)

// The addresses of the code flow that browsers come to.
const (
	authorizePath = "/oauth/authorize"
	againPath     = "/signin/again"
)

// maxAuthorizeQuery is the longest request that can be kept while somebody signs in: it
// goes through the sign-in as the address to continue at.
const maxAuthorizeQuery = 6 << 10

// An authorization is an app's request to sign somebody in, with what is known of it.
type authorization struct {
	issuer  string
	values  url.Values // as sent
	app     db.Connection
	request openid.AuthorizeRequest
	asked   time.Time // when the request came first
}

// postAuthorize lets an app that posts its request come by the same way as all others: the
// browser sends its cookies to a page that it opens itself.
func (s *Server) postAuthorize(rc *requestContext) error {
	if len(rc.r.PostForm.Encode()) > maxAuthorizeQuery {
		return errTooLarge
	}
	return s.redirect(rc, authorizePath+"?"+rc.r.PostForm.Encode())
}

// showAuthorize answers an app that wants somebody signed in: at once where it can be, and
// otherwise after what is missing.
func (s *Server) showAuthorize(rc *requestContext) error {
	a, err := s.readAuthorization(rc, rc.r.URL.Query())
	if err != nil {
		return s.refuseAuthorize(rc, a, err)
	}
	if rc.r.Method == http.MethodHead {
		return nil // looks, and wants no code
	}
	if err := s.findVisitor(rc); err != nil {
		return err
	}
	if !rc.isSignedIn() {
		return s.askFirst(rc, a, openid.LoginRequired, withNext("/signin", a.address(s, true)))
	}
	if err := s.touchSession(rc); err != nil {
		return err
	}
	if rc.visitor.MustEnroll {
		return s.askFirst(rc, a, openid.InteractionRequired, withNext("/my/profile/two-factor", a.address(s, true)))
	}
	st, err := s.store.Standing(rc.ctx(), rc.visitor, a.app.App.ID, rc.now)
	if err != nil {
		return err
	}
	switch due, err := s.isSomethingDue(rc, a, st); {
	case due || err != nil:
		return err
	case s.mustAgree(rc, a, st):
		return s.askAgreement(rc, a)
	}
	code, err := s.store.Authorize(rc.ctx(), rc.visitor, a.app.App.ID, a.request, rc.client, rc.now)
	if errors.Is(err, db.ErrMayNot) {
		return s.refuseApp(rc, a)
	}
	if err != nil {
		return err
	}
	return s.redirect(rc, a.request.Answer(a.issuer, code))
}

// isSomethingDue answers with what is missing before somebody who is signed in may be
// brought into the app; false when nothing is.
func (s *Server) isSomethingDue(rc *requestContext, a authorization, st db.Standing) (bool, error) {
	enrolled := rc.visitor.State == twofactor.Enabled
	switch {
	case a.request.Hint != "" && !s.isHintOf(rc, a, st.Subject):
		return true, s.redirect(rc, a.refuse(openid.LoginRequired, "somebody else is signed in"))
	case st.Answer == apps.MayNot:
		return true, s.refuseApp(rc, a)
	case st.Answer == apps.SecondStepDue && !enrolled:
		return true, s.askFirst(rc, a, openid.InteractionRequired, withNext("/my/profile/two-factor", a.address(s, true)))
	case st.Answer != apps.May,
		a.request.IsProofOld(rc.visitor.SignIn().At, a.asked, rc.now),
		a.request.AAL2 && enrolled && rc.visitor.SignIn().Level() != openid.AAL2:
		return true, s.askFirst(rc, a, openid.LoginRequired, withNext(againPath, a.address(s, true)))
	}
	return false, nil
}

// askFirst leads people to what comes before the answer, or tells the app that it is
// missing where that wants no page.
func (s *Server) askFirst(rc *requestContext, a authorization, missing openid.Code, address string) error {
	if a.request.None {
		return s.redirect(rc, a.refuse(missing, "a page would have to be shown"))
	}
	return s.redirect(rc, address)
}

// readAuthorization reads the request and finds its app. It returns errWrongAddressee while
// it is not known that the address to answer at is the app's, and openid.Refusal for what
// the app is told.
func (s *Server) readAuthorization(rc *requestContext, values url.Values) (a authorization, err error) {
	if a.issuer, err = s.issuer(); err != nil {
		return a, err
	}
	client, redirect, err := openid.Addressee(values)
	if err != nil {
		return a, wrongAddressee{err: err}
	}
	a.app, err = s.store.ConnectionByClient(rc.ctx(), client)
	if errors.Is(err, db.ErrNotFound) {
		return a, wrongAddressee{err: err}
	}
	if err != nil {
		return a, err
	}
	if !a.app.Client.AllowsRedirect(redirect) {
		return a, wrongAddressee{err: err, redirect: redirect}
	}
	a.values, a.asked = values, rc.now
	if at, ok := s.stampOf(values, openid.AskedField, "", openid.AskedTTL, rc.now); ok {
		a.asked = at
	}
	sent := url.Values{}
	for name, value := range values {
		if name != openid.AskedField && name != openid.AgreedField {
			sent[name] = value
		}
	}
	if a.request, err = openid.ParseAuthorize(sent, a.app.Client); err != nil {
		return a, err
	}
	if len(sent.Encode()) > maxAuthorizeQuery {
		return a, openid.Refusal{Code: openid.InvalidRequest, Text: "the request is too long"}
	}
	return a, nil
}

// wrongAddressee refuses a request whose app or redirect address is not right. Nothing is
// sent to that address.
type wrongAddressee struct {
	err      error
	redirect string // what came in place of a registered one
}

func (wrongAddressee) Error() string { return "the app or its redirect address is not right" }

// refuseAuthorize answers a request that cannot be read: the person with a page where the
// address may be anybody's, and otherwise the app.
func (s *Server) refuseAuthorize(rc *requestContext, a authorization, err error) error {
	var refusal openid.Refusal
	var wrong wrongAddressee
	switch {
	case errors.As(err, &wrong):
		return s.showWrongAddressee(rc, a, wrong)
	case errors.As(err, &refusal):
		return s.tellRefusal(rc, a, refusal)
	}
	return err
}

// tellRefusal tells an app that its request cannot be answered. People are asked first who
// they are, so that no link leads through the portal to somewhere else at once, unless the
// app wants no page (RFC 9700, 4.11.2).
func (s *Server) tellRefusal(rc *requestContext, a authorization, refusal openid.Refusal) error {
	if openid.WantsNoPage(a.values) {
		return s.redirect(rc, a.request.Refuse(a.issuer, refusal))
	}
	if err := s.findVisitor(rc); err != nil {
		return err
	}
	if rc.isSignedIn() {
		return s.redirect(rc, a.request.Refuse(a.issuer, refusal))
	}
	next := a.address(s, true)
	if len(next) > maxNext {
		next = "" // nothing comes back to it
	}
	return s.redirect(rc, withNext("/signin", next))
}

// refuse returns the address that tells the app no.
func (a authorization) refuse(code openid.Code, text string) string {
	return a.request.Refuse(a.issuer, openid.Refusal{Code: code, Text: text})
}

// address is where the request goes on after what comes first; stamped with when it came.
func (a authorization) address(s *Server, stamped bool) string {
	values := url.Values{}
	for name, value := range a.values {
		if name != openid.AskedField && name != openid.AgreedField {
			values[name] = value
		}
	}
	if stamped {
		values.Set(openid.AskedField, openid.JoinStamp(a.asked, s.stampMAC("", a.asked, openid.RequestText(values))))
	}
	return authorizePath + "?" + values.Encode()
}

// stampMAC is the keyed hash of an instant of a request, bound to a session or to none.
func (s *Server) stampMAC(session string, at time.Time, request string) string {
	return s.store.MAC("authorize", session+" "+openid.Stamp(at, request))
}

// stampOf returns the instant that one of our own fields of a request holds, if it is
// genuine and still counts.
func (s *Server) stampOf(values url.Values, field, session string, ttl time.Duration, now time.Time) (time.Time, bool) {
	at, mac, ok := openid.SplitStamp(values.Get(field), ttl, now)
	if !ok || len(values[field]) != 1 || !db.EqualMAC(mac, s.stampMAC(session, at, openid.RequestText(values))) {
		return time.Time{}, false
	}
	return at, true
}

// mustAgree reports whether somebody is asked before the app learns of them.
func (s *Server) mustAgree(rc *requestContext, a authorization, st db.Standing) bool {
	if _, agreed := s.stampOf(a.values, openid.AgreedField, rc.visitor.Handle, openid.AgreedTTL, rc.now); agreed {
		return false
	}
	return a.request.Consent || a.request.Select || a.app.Client.AsksAlways(a.request.Redirect) ||
		!a.app.Client.Ours && !a.request.Scopes.Within(st.Agreed)
}

// askAgreement shows who wants to know what of whom, and asks.
func (s *Server) askAgreement(rc *requestContext, a authorization) error {
	if a.request.None {
		return s.redirect(rc, a.refuse(openid.ConsentRequired, "the person has to be asked"))
	}
	f, err := s.frame(rc)
	if err != nil {
		return err
	}
	card := views.Agreement{
		App:       a.app.App.Name,
		Mark:      a.app.App.Mark,
		Host:      hostOfRedirect(a.request.Redirect),
		Name:      rc.visitor.Person.Name,
		Email:     rc.visitor.Person.Email,
		Request:   a.query(),
		Ours:      a.app.Client.Ours,
		Profile:   a.request.Scopes.Has(openid.ScopeProfile),
		Address:   a.request.Scopes.Has(openid.ScopeEmail),
		Groups:    a.request.Scopes.Has(openid.ScopeGroups),
		Offline:   a.request.Scopes.Has(openid.ScopeOffline),
		OtherUser: withNext("/signout", a.address(s, false)),
	}
	return s.show(rc, http.StatusOK, views.AgreementCard(card), views.AgreementPage(f, card))
}

// query is the request as a form carries it.
func (a authorization) query() string { return a.values.Encode() }

// hostOfRedirect is what people are shown of an address: the host, or the scheme of an app
// on their device.
func hostOfRedirect(redirect string) string {
	u, err := url.Parse(redirect)
	if err != nil {
		return ""
	}
	if u.Host == "" {
		return u.Scheme
	}
	return u.Host
}

// answerConsent takes somebody's answer, and goes on with the request: it is read anew
// there, and nothing of the form decides but that they agree.
func (s *Server) answerConsent(rc *requestContext) error {
	values, err := url.ParseQuery(rc.r.PostFormValue("request"))
	if err != nil {
		return errBadForm
	}
	a, err := s.readAuthorization(rc, values)
	if err != nil {
		return s.refuseAuthorize(rc, a, err)
	}
	switch rc.r.PostFormValue("answer") {
	case "allow":
	case "deny":
		return s.leave(rc, a.refuse(openid.AccessDenied, "the person did not agree"))
	default:
		return errBadForm
	}
	if !a.app.Client.Ours {
		if err := s.store.Agree(rc.ctx(), rc.visitor, a.app.App.ID, a.request.Scopes, rc.client, rc.now); err != nil {
			return err
		}
	}
	a.values.Set(openid.AgreedField, openid.JoinStamp(rc.now,
		s.stampMAC(rc.visitor.Handle, rc.now, openid.RequestText(a.values))))
	return s.leave(rc, authorizePath+"?"+a.values.Encode())
}

// refuseApp says that the app is not open to whom is signed in. The app hears of it when
// they go back to it, or at once where it wants no page.
func (s *Server) refuseApp(rc *requestContext, a authorization) error {
	if err := s.store.NoteAppRefused(rc.ctx(), rc.visitor, a.app.App, rc.client, rc.now); err != nil {
		return err
	}
	back := a.refuse(openid.AccessDenied, "this person may not open the app")
	if a.request.None {
		return s.redirect(rc, back)
	}
	f, err := s.frame(rc)
	if err != nil {
		return err
	}
	page := views.AppRefusedPage(f, views.AppRefusal{
		App:       a.app.App.Name,
		Name:      rc.visitor.Person.Name,
		Email:     rc.visitor.Person.Email,
		Paused:    a.app.App.Paused,
		Back:      back,
		OtherUser: withNext("/signout", a.address(s, false)),
	})
	return s.show(rc, http.StatusForbidden, page, page)
}

// showWrongAddressee says that a request is not answered, because nobody knows whose it is.
// An admin sees which address came, and can register it.
func (s *Server) showWrongAddressee(rc *requestContext, a authorization, wrong wrongAddressee) error {
	if err := s.findVisitor(rc); err != nil {
		return err
	}
	if wrong.redirect == "" {
		s.showProblem(rc, views.UnknownApp())
		return nil
	}
	f, err := s.frame(rc)
	if err != nil {
		return err
	}
	_, refusal := openid.ParseRedirect(wrong.redirect, a.app.Client.Kind, s.plainHTTP())
	page := views.WrongAddressPage(f, views.WrongAddress{
		App:     a.app.App.Name,
		AppID:   a.app.App.ID,
		Address: wrong.redirect,
		CanAdd:  refusal == nil,
		Why:     views.RedirectRefused(refusal),
	})
	return s.show(rc, http.StatusBadRequest, page, page)
}

// plainHTTP reports whether the portal is served over http, and so may its apps be.
func (s *Server) plainHTTP() bool { return !s.https() }

// loginHint is the address of whom an app expects, where the sign-in leads to an app that
// has said so; else "".
func loginHint(next string) string {
	path, query, _ := strings.Cut(next, "?")
	values, err := url.ParseQuery(query)
	if path != authorizePath || err != nil || len(values.Get("login_hint")) > maxLoginHint {
		return ""
	}
	return values.Get("login_hint")
}

// maxLoginHint is the longest address there is (RFC 5321), in bytes.
const maxLoginHint = 254

// isHintOf reports whether an ID token that the app sent is of whom is signed in.
func (s *Server) isHintOf(rc *requestContext, a authorization, subject string) bool {
	public, err := s.store.PublishedKeys(rc.ctx(), rc.now)
	if err != nil {
		return false
	}
	hint, err := openid.ReadHint(a.request.Hint, a.issuer, public)
	return err != nil || hint.Subject == subject // a hint under a retired key counts as none
}
