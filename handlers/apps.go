package handlers

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"gatehouse/account"
	"gatehouse/apps"
	"gatehouse/db"
	"gatehouse/twofactor"
	"gatehouse/views"
)

// portalHost is the portal's own host name, which no app may have.
func (s *Server) portalHost() string {
	if s.base == nil {
		return ""
	}
	return s.base.Hostname()
}

// portalAddress is what browsers reach the portal by.
func (s *Server) portalAddress(rc *requestContext) string {
	if s.base == nil {
		return "http://" + rc.r.Host
	}
	return s.base.Scheme + "://" + s.base.Host
}

// showApps lists the apps.
func (s *Server) showApps(rc *requestContext) error {
	query := rc.r.URL.Query()
	page, err := s.store.Apps(rc.ctx(), query.Get("q"), query.Get("after"))
	if err != nil {
		return err
	}
	f, err := s.frame(rc)
	if err != nil {
		return err
	}
	card := views.Apps{
		Rows:       page.Apps,
		Search:     query.Get("q"),
		Pagination: pagination("/admin/apps", query, page.Next),
		Alert:      views.AppsNeed(s.base != nil, len(s.proxies) > 0),
	}
	return s.show(rc, http.StatusOK, views.AppsCards(card), views.AppsPage(f, card))
}

// showNewApp shows the form that adds an app.
func (s *Server) showNewApp(rc *requestContext) error {
	return s.showNewAppCard(rc, http.StatusOK, views.NewApp{Access: views.AppAccess{Everyone: true}})
}

func (s *Server) showNewAppCard(rc *requestContext, status int, card views.NewApp) error {
	var err error
	if card.Access.Groups, err = s.allGroups(rc); err != nil {
		return err
	}
	f, err := s.frame(rc)
	if err != nil {
		return err
	}
	return s.show(rc, status, views.NewAppCard(card), views.NewAppPage(f, card))
}

// allGroups are the groups that a form offers.
func (s *Server) allGroups(rc *requestContext) ([]apps.Group, error) {
	list, err := s.store.Groups(rc.ctx())
	if err != nil {
		return nil, err
	}
	out := make([]apps.Group, 0, len(list))
	for _, g := range list {
		out = append(out, g.Group)
	}
	return out, nil
}

// readAppAccess reads the fields that say who may open an app.
func (rc *requestContext) readAppAccess() (a db.AppAccess, err error) {
	form := rc.r.PostForm
	a = db.AppAccess{
		Roles:        form["role"],
		Groups:       form["group"],
		People:       form["person"],
		FreshMinutes: rc.r.PostFormValue("fresh_minutes"),
	}
	if a.Everyone, err = rc.checkbox("everyone"); err != nil {
		return a, err
	}
	a.SecondStep, err = rc.checkbox("second_step")
	return a, err
}

// viewTypedAccess gives the fields back as they were typed, with what is wrong with them.
// People who are named already stay in the list, the others in the field.
func viewTypedAccess(a db.AppAccess, named []apps.Named, problems fieldMessages) views.AppAccess {
	out := views.AppAccess{
		Everyone:    a.Everyone,
		Ticked:      a.Groups,
		SecondStep:  a.SecondStep,
		Fresh:       a.FreshMinutes,
		RoleError:   problems["role"],
		GroupError:  problems["group"],
		PersonError: problems["person"],
		FreshError:  problems["fresh_minutes"],
	}
	for _, role := range a.Roles {
		out.Roles = append(out.Roles, twofactor.Role(role))
	}
	var typed []string
	for _, text := range a.People {
		at := slices.IndexFunc(named, func(n apps.Named) bool { return n.Email == text })
		switch {
		case at >= 0:
			out.People = append(out.People, named[at])
		case strings.TrimSpace(text) != "":
			typed = append(typed, strings.TrimSpace(text))
		}
	}
	out.Typed = strings.Join(typed, ", ")
	return out
}

// viewAccess is an app's access as its form shows it.
func viewAccess(a apps.Access) views.AppAccess {
	out := views.AppAccess{
		Everyone:   a.Everyone,
		Roles:      a.Roles,
		People:     a.People,
		SecondStep: a.SecondStep,
	}
	for _, g := range a.Groups {
		out.Ticked = append(out.Ticked, g.Name)
	}
	if a.FreshMinutes > 0 {
		out.Fresh = strconv.Itoa(a.FreshMinutes)
	}
	return out
}

// addApp adds an app and shows its page.
func (s *Server) addApp(rc *requestContext) error {
	access, err := rc.readAppAccess()
	if err != nil {
		return err
	}
	template := rc.r.PostFormValue("template")
	n := db.NewApp{
		AppFacts: db.AppFacts{
			Name:       rc.r.PostFormValue("name"),
			Address:    rc.r.PostFormValue("address"),
			Mark:       rc.r.PostFormValue("mark"),
			PortalHost: s.portalHost(),
		},
		Access:  access,
		Guarded: template == "",
	}
	id, err := s.store.AddApp(rc.ctx(), n, rc.visitor.Author(rc.client), rc.now)
	if problems, ok := fieldMessagesOf(err); ok {
		return s.showNewAppCard(rc, http.StatusUnprocessableEntity, views.NewApp{
			Name:     problems.field("name", n.Name),
			Address:  problems.field("address", n.Address),
			Mark:     problems.field("mark", n.Mark),
			Template: problems.field("template", template),
			Access:   viewTypedAccess(access, nil, problems),
		})
	}
	if err != nil {
		return err
	}
	page := "/admin/apps/" + strconv.FormatInt(id, 10)
	if template != "" {
		page += "?" + url.Values{"template": {template}}.Encode() + "#app-connect" // where it goes on
	}
	return s.redirectWithMessage(rc, page, pageMessage{word: "app-add"})
}

// showApp shows one app's page.
func (s *Server) showApp(rc *requestContext) error {
	return s.showAppCards(rc, http.StatusOK, views.AppDetail{})
}

// showAppCards shows the app that the address is about, as it is now. An Edit or Access
// that says what is wrong is what was typed.
func (s *Server) showAppCards(rc *requestContext, status int, card views.AppDetail) error {
	id, err := rc.id()
	if err != nil {
		return err
	}
	a, err := s.store.App(rc.ctx(), id)
	if err != nil {
		return err
	}
	card.App = a
	card.Portal = s.portalAddress(rc) + "/enter/" + a.Slug
	if card.SeenAccess == "" {
		card.Access = viewAccess(a.Access)
		card.SeenAccess = rc.formVersion(a.AccessVersion())
	}
	if card.Access.Groups, err = s.allGroups(rc); err != nil {
		return err
	}
	if card.Edit.Seen == "" {
		card.Edit = views.AppEdit{
			Name:    views.Field{Value: a.Name},
			Address: views.Field{Value: a.Address.String()},
			Mark:    views.Field{Value: a.Mark},
			Seen:    rc.formVersion(a.FactsVersion()),
			Open:    rc.r.URL.Query().Has("edit"),
			Locked:  !rc.isFresh(),
		}
	}
	if card.Guard.Seen == "" {
		card.Guard = s.guardCard(rc, a)
	}
	if card.Connect.Seen == "" {
		if card.Connect, err = s.connectCard(rc, a); err != nil {
			return err
		}
	}
	f, err := s.frame(rc)
	if err != nil {
		return err
	}
	return s.show(rc, status, views.AppCards(card), views.AppPage(f, card))
}

// showChangedApp shows an app after a change. Without htmx the browser is sent on to its
// page, so that loading it again does not make the change again.
func (s *Server) showChangedApp(rc *requestContext, word string) error {
	if rc.isHTMX() {
		return s.showAppCards(rc, http.StatusOK, views.AppDetail{Success: views.AppDone(word)})
	}
	return s.redirectWithMessage(rc, "/admin/apps/"+rc.r.PathValue("id"), pageMessage{word: word})
}

// showAppOutdated shows an app as it is now to an admin whose form showed it otherwise, and
// tells who has changed it meanwhile.
func (s *Server) showAppOutdated(rc *requestContext, seen account.Seen) error {
	id, err := rc.id()
	if err != nil {
		return err
	}
	a, err := s.store.App(rc.ctx(), id)
	if err != nil {
		return err
	}
	changes, err := s.store.WorkspaceChanges(rc.ctx(), account.AppChanged, seen.At)
	if err != nil {
		return err
	}
	changes = slices.DeleteFunc(changes, func(r db.ActivityRow) bool { return !strings.HasPrefix(r.Detail, a.Name+": ") })
	card := views.AppDetail{Alert: views.Outdated(viewChanges(changes))}
	return s.showAppCards(rc, http.StatusUnprocessableEntity, card)
}

// seenApp reads what a form of an app's page showed. Without it nobody can tell an unticked
// checkbox from one that was lost on the way: errSeenMissing.
func (rc *requestContext) seenApp() (id int64, seen account.Seen, err error) {
	if id, err = rc.id(); err != nil {
		return 0, seen, err
	}
	if seen, err = rc.seen(); err == nil && seen == (account.Seen{}) {
		err = errSeenMissing
	}
	return id, seen, err
}

// errSeenMissing is a form in which an absent field means "off", and which does not say what
// it showed.
var errSeenMissing = errors.New("the form does not say what it showed")

// changeAppAccess changes who may open an app.
func (s *Server) changeAppAccess(rc *requestContext) error {
	id, seen, err := rc.seenApp()
	if errors.Is(err, errSeenMissing) {
		return s.showAppCards(rc, http.StatusUnprocessableEntity, views.AppDetail{Alert: views.FormIncomplete()})
	}
	if err != nil {
		return err
	}
	access, err := rc.readAppAccess()
	if err != nil {
		return err
	}
	err = s.store.ChangeAppAccess(rc.ctx(), id, seen, access, rc.visitor.Author(rc.client), rc.now)
	if errors.Is(err, account.ErrOutdated) {
		return s.showAppOutdated(rc, seen)
	}
	if problems, ok := fieldMessagesOf(err); ok {
		a, err := s.store.App(rc.ctx(), id)
		if err != nil {
			return err
		}
		return s.showAppCards(rc, http.StatusUnprocessableEntity, views.AppDetail{
			Access:     viewTypedAccess(access, a.Access.People, problems),
			SeenAccess: rc.r.PostFormValue("seen"),
		})
	}
	if err != nil {
		return err
	}
	return s.showChangedApp(rc, "app-access")
}

// iconLost is the field by which a form says that its file was not kept while its sender
// confirmed who they are.
const iconLost = "icon_lost"

// editApp changes an app's name, address, letters and icon. The panel that asks for a proof
// keeps what was typed, and no file: the form is shown again afterwards.
func (s *Server) editApp(rc *requestContext) error {
	id, err := rc.id()
	if err != nil {
		return err
	}
	icon, err := rc.file("icon")
	if err != nil {
		return err
	}
	if len(icon) > 0 && !rc.isFresh() {
		rc.r.PostForm.Set(iconLost, "yes")
	}
	if ok, err := s.prove(rc); !ok {
		return err
	}
	seen, err := rc.seen()
	if err != nil {
		return err
	}
	facts := db.AppFacts{
		Name:       rc.r.PostFormValue("name"),
		Address:    rc.r.PostFormValue("address"),
		Mark:       rc.r.PostFormValue("mark"),
		PortalHost: s.portalHost(),
	}
	if facts.NoIcon, err = rc.checkbox("no_icon"); err != nil {
		return err
	}
	if facts.Icon = icon; len(icon) == 0 && rc.r.PostFormValue(iconLost) != "" {
		return s.showAppEdit(rc, facts, fieldMessages{"icon": views.IconLost()})
	}
	err = s.store.ChangeApp(rc.ctx(), id, seen, facts, rc.visitor.Author(rc.client), rc.now)
	if errors.Is(err, account.ErrOutdated) {
		return s.showAppOutdated(rc, seen)
	}
	if problems, ok := fieldMessagesOf(err); ok {
		return s.showAppEdit(rc, facts, problems)
	}
	if err != nil {
		return err
	}
	return s.showChangedApp(rc, "app-edit")
}

// showAppEdit gives an app's facts back as they were typed, with what is wrong with them.
func (s *Server) showAppEdit(rc *requestContext, facts db.AppFacts, problems fieldMessages) error {
	edit := views.AppEdit{
		Open:    true,
		Name:    problems.field("name", facts.Name),
		Address: problems.field("address", facts.Address),
		Mark:    problems.field("mark", facts.Mark),
		Icon:    problems.field("icon", ""),
		Seen:    rc.r.PostFormValue("seen"),
	}
	if edit.Seen == "" {
		edit.Seen = rc.formVersion("")
	}
	return s.showAppCards(rc, http.StatusUnprocessableEntity, views.AppDetail{Edit: edit})
}

// isFresh reports whether the visitor's proof is fresh.
func (rc *requestContext) isFresh() bool { return account.IsFresh(rc.visitor.AuthenticatedAt, rc.now) }

// file reads a file that was sent with the form; nil for none.
func (rc *requestContext) file(name string) ([]byte, error) {
	f, _, err := rc.r.FormFile(name)
	if errors.Is(err, http.ErrMissingFile) || errors.Is(err, http.ErrNotMultipart) {
		return nil, nil
	}
	if err != nil {
		return nil, errBadForm
	}
	defer func() { _ = f.Close() }()
	content, err := io.ReadAll(f)
	if err != nil {
		return nil, errBadForm
	}
	return content, nil
}

// pauseApp closes an app for everybody, for now.
func (s *Server) pauseApp(rc *requestContext) error { return s.setAppPaused(rc, true, "app-pause") }

// resumeApp opens it again.
func (s *Server) resumeApp(rc *requestContext) error { return s.setAppPaused(rc, false, "app-resume") }

func (s *Server) setAppPaused(rc *requestContext, paused bool, word string) error {
	id, err := rc.id()
	if err != nil {
		return err
	}
	if err := s.store.PauseApp(rc.ctx(), id, paused, rc.visitor.Author(rc.client), rc.now); err != nil {
		return err
	}
	return s.showChangedApp(rc, word)
}

// removeApp asks for confirmation, and then removes an app for good.
func (s *Server) removeApp(rc *requestContext) error {
	id, err := rc.id()
	if err != nil {
		return err
	}
	if rc.r.PostFormValue("confirmed") != "yes" {
		return s.showAppCards(rc, http.StatusOK, views.AppDetail{AskRemove: true})
	}
	if err := s.store.RemoveApp(rc.ctx(), id, rc.visitor.Author(rc.client), rc.now); err != nil {
		return err
	}
	return s.redirectWithMessage(rc, "/admin/apps", pageMessage{word: "app-remove"})
}

// explainApp says why somebody may open an app, or not.
func (s *Server) explainApp(rc *requestContext) error {
	id, err := rc.id()
	if err != nil {
		return err
	}
	a, err := s.store.App(rc.ctx(), id)
	if err != nil {
		return err
	}
	card := views.AppWhy{App: views.MarkOf(a), Person: views.Field{Value: rc.r.URL.Query().Get("person")}}
	status := http.StatusOK
	if card.Person.Value != "" {
		p, err := s.store.PersonByEmail(rc.ctx(), card.Person.Value)
		switch {
		case errors.Is(err, db.ErrNotFound):
			card.Person.Error = views.FilterErrorText("person")
			status = http.StatusUnprocessableEntity
		case err != nil:
			return err
		default:
			card.Known, card.Named = true, apps.Named{ID: p.ID, Name: p.Name, Email: p.Email}
			if card.Explanation, err = s.explain(rc, a, p.ID); err != nil {
				return err
			}
		}
	}
	f, err := s.frame(rc)
	if err != nil {
		return err
	}
	page := views.AppWhyPage(f, card)
	return s.show(rc, status, page, page)
}

// explain holds the rules of an app against somebody.
func (s *Server) explain(rc *requestContext, a apps.App, person int64) (apps.Explanation, error) {
	p, err := s.store.AppPerson(rc.ctx(), person)
	if err != nil {
		return apps.Explanation{}, err
	}
	return a.Explain(p, rc.visitor.Workspace.Policy), nil
}

// personApps is the part of a person's page that is about groups and apps. The query may ask
// about an app by its name.
func (s *Server) personApps(rc *requestContext, p db.Person) (out views.PersonApps, err error) {
	if out.Groups, err = s.store.GroupsOf(rc.ctx(), p.ID); err != nil {
		return out, err
	}
	page, err := s.store.Apps(rc.ctx(), "", "")
	if err != nil {
		return out, err
	}
	out.Any = len(page.Apps) > 0
	if page.Next == "" {
		for _, a := range page.Apps {
			out.Names = append(out.Names, a.Name)
		}
	}
	name := rc.r.URL.Query().Get("app")
	if out.Asked.Value = name; name == "" {
		return out, nil
	}
	a, err := s.store.AppByName(rc.ctx(), name)
	if errors.Is(err, db.ErrNotFound) {
		out.Names, out.Asked.Error = nil, views.NoSuchApp()
		return out, nil
	}
	if err != nil {
		return out, err
	}
	out.Known, out.App = true, views.MarkOf(a)
	out.Why, err = s.explain(rc, a, p.ID)
	return out, err
}

// showAppIcon sends an app's picture, in a way in which nothing in it runs.
func (s *Server) showAppIcon(rc *requestContext) error {
	id, err := rc.id()
	if err != nil {
		return err
	}
	kind, content, err := s.store.AppIcon(rc.ctx(), id, rc.visitor)
	if err != nil {
		return err
	}
	h := rc.w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	h.Set("Content-Type", iconTypes[kind])
	h.Set("Cache-Control", "private, no-cache")
	if rc.r.URL.Query().Has("v") { // the address names the version
		h.Set("Cache-Control", "private, max-age=31536000, immutable")
	}
	h.Set("Content-Length", strconv.Itoa(len(content)))
	_, _ = rc.w.Write(content) // the browser may be gone
	return nil
}

// iconTypes are the types of pictures, whatever they were sent as.
var iconTypes = map[apps.IconKind]string{apps.PNG: "image/png", apps.SVG: "image/svg+xml"}
