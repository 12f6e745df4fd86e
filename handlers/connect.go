package handlers

import (
	"errors"
	"net/http"
	"strings"

	"gatehouse/account"
	"gatehouse/apps"
	"gatehouse/db"
	"gatehouse/openid"
	"gatehouse/views"
)

// connectCard is how an app speaks OpenID Connect now, as its page shows it. For one that
// never did the form is filled from the template that it is of.
func (s *Server) connectCard(rc *requestContext, a apps.App) (views.Connect, error) {
	card := views.Connect{App: a.ID, Connected: a.Connected, Address: a.Address, NoBase: s.base == nil}
	card.Issuer, _ = s.issuer()
	connection, err := s.store.ConnectionOf(rc.ctx(), a.ID)
	if errors.Is(err, db.ErrNotFound) {
		card.Connected, card.PKCE, card.Ours, card.On = false, true, true, true
		card.Kind, card.Algorithm = openid.Web, openid.RS256
		template, ok := apps.TemplateByKey(rc.r.URL.Query().Get("template"))
		if !ok {
			template, ok = apps.TemplateOf(a, nil)
		}
		if ok {
			card.Template = template
			card.Redirect.Value = strings.Join(template.Redirects(a.Address), "\n")
		}
		card.Seen = rc.formVersion(db.Connection{
			App:    a,
			Client: openid.Client{Kind: openid.Web, Algorithm: openid.RS256, Ours: a.Ours},
		}.Version())
		return card, nil
	}
	if err != nil {
		return card, err
	}
	c := connection.Client
	card.Known, card.ClientID, card.SecretMadeAt, card.TwoSecrets = true, c.ID, connection.SecretMadeAt, connection.TwoSecrets
	card.On, card.Kind, card.Algorithm, card.PKCE, card.Ours = a.Connected, c.Kind, c.Algorithm, !c.NoPKCE, a.Ours
	card.Redirect.Value = strings.Join(c.Redirects, "\n")
	card.LogoutRedirect.Value = strings.Join(c.LogoutRedirects, "\n")
	card.Backchannel.Value = c.Backchannel
	card.Template, _ = apps.TemplateOf(a, c.Redirects)
	card.Seen = rc.formVersion(connection.Version())
	return card, nil
}

// changeConnection changes whether and how an app speaks OpenID Connect.
func (s *Server) changeConnection(rc *requestContext) error {
	id, seen, err := rc.seenApp()
	if errors.Is(err, errSeenMissing) {
		return s.showAppCards(rc, http.StatusUnprocessableEntity, views.AppDetail{Alert: views.FormIncomplete()})
	}
	if err != nil {
		return err
	}
	n, err := s.readConnection(rc)
	if err != nil {
		return err
	}
	secret, err := s.store.ChangeConnection(rc.ctx(), id, seen, n, rc.visitor.Author(rc.client), rc.now)
	if errors.Is(err, account.ErrOutdated) {
		return s.showAppOutdated(rc, seen)
	}
	if problems, ok := fieldMessagesOf(err); ok {
		return s.showConnectionAgain(rc, id, n, problems)
	}
	if err != nil {
		return err
	}
	if secret != "" {
		return s.showSecret(rc, secret, views.AppDone("app-connect"))
	}
	return s.showChangedApp(rc, "app-connect")
}

// readConnection reads the form. Several fields of one name count like several lines.
func (s *Server) readConnection(rc *requestContext) (n db.NewConnection, err error) {
	form := rc.r.PostForm
	n = db.NewConnection{
		Redirects:       strings.Join(form["redirect"], "\n"),
		LogoutRedirects: strings.Join(form["logout_redirect"], "\n"),
		Backchannel:     rc.r.PostFormValue("backchannel"),
		Kind:            openid.Kind(rc.r.PostFormValue("kind")),
		Algorithm:       openid.Algorithm(rc.r.PostFormValue("algorithm")),
		Plain:           s.plainHTTP(),
	}
	for name, to := range map[string]*bool{"connected": &n.Connected, "pkce": &n.PKCE, "ours": &n.Ours} {
		if *to, err = rc.checkbox(name); err != nil {
			return n, err
		}
	}
	return n, nil
}

// showConnectionAgain shows the form as it was typed, with what is wrong with it.
func (s *Server) showConnectionAgain(rc *requestContext, id int64, n db.NewConnection, problems fieldMessages) error {
	a, err := s.store.App(rc.ctx(), id)
	if err != nil {
		return err
	}
	card, err := s.connectCard(rc, a)
	if err != nil {
		return err
	}
	card.On, card.Kind, card.Algorithm, card.PKCE, card.Ours = n.Connected, n.Kind, n.Algorithm, n.PKCE, n.Ours
	card.Redirect = problems.field("redirect", n.Redirects)
	card.LogoutRedirect = problems.field("logout_redirect", n.LogoutRedirects)
	card.Backchannel = problems.field("backchannel", n.Backchannel)
	card.KindError, card.AlgorithmError = problems["kind"], problems["algorithm"]
	card.Seen = rc.r.PostFormValue("seen")
	return s.showAppCards(rc, http.StatusUnprocessableEntity, views.AppDetail{Connect: card})
}

// showSecret shows an app with a secret that is shown this once.
func (s *Server) showSecret(rc *requestContext, secret string, done views.Message) error {
	id, err := rc.id()
	if err != nil {
		return err
	}
	a, err := s.store.App(rc.ctx(), id)
	if err != nil {
		return err
	}
	card, err := s.connectCard(rc, a)
	if err != nil {
		return err
	}
	card.Secret = secret
	return s.showAppCards(rc, http.StatusOK, views.AppDetail{Connect: card, Success: done})
}

// makeSecret makes another secret for an app.
func (s *Server) makeSecret(rc *requestContext) error {
	id, err := rc.id()
	if err != nil {
		return err
	}
	secret, err := s.store.NewAppSecret(rc.ctx(), id, rc.visitor.Author(rc.client), rc.now)
	if err != nil {
		return err
	}
	return s.showSecret(rc, secret, views.SecretMade())
}

// addRedirect registers an address that an app has asked for and that was refused.
func (s *Server) addRedirect(rc *requestContext) error {
	id, err := rc.id()
	if err != nil {
		return err
	}
	typed := rc.r.PostFormValue("redirect")
	err = s.store.AddRedirect(rc.ctx(), id, typed, s.plainHTTP(), rc.visitor.Author(rc.client), rc.now)
	if problems, ok := fieldMessagesOf(err); ok {
		a, err := s.store.App(rc.ctx(), id)
		if err != nil {
			return err
		}
		card, err := s.connectCard(rc, a)
		if err != nil {
			return err
		}
		card.Redirect = problems.field("redirect", card.Redirect.Value+"\n"+typed)
		return s.showAppCards(rc, http.StatusUnprocessableEntity, views.AppDetail{Connect: card})
	}
	if err != nil {
		return err
	}
	return s.showChangedApp(rc, "app-connect")
}
