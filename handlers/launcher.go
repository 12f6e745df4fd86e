package handlers

import (
	"context"
	"errors"
	"net/http"
	"sort"
	"strconv"
	"time"

	"gatehouse/account"
	"gatehouse/apps"
	"gatehouse/db"
	"gatehouse/views"
)

// manyTiles is from how many apps one searches among them.
const manyTiles = 13

// launcher is the part of My portal that opens apps. What was shown is noted when a person
// opens the page.
func (s *Server) launcher(rc *requestContext, hasFactor bool) (views.Launcher, error) {
	l, err := s.store.Launcher(rc.ctx(), rc.visitor)
	if err != nil {
		return views.Launcher{}, err
	}
	if rc.isPageLoad() {
		if err := s.store.NoteLauncher(rc.ctx(), rc.visitor, l, rc.now); err != nil {
			return views.Launcher{}, err
		}
	}
	out := views.Launcher{
		Many:  len(l.Tiles) >= manyTiles,
		Gone:  l.Gone,
		None:  l.None,
		Admin: account.MayAdminister(rc.author()) == nil,
	}
	if out.Many {
		out.Search = rc.r.URL.Query().Get("q")
	}
	words := account.SearchWords(out.Search)
	for _, tile := range l.Tiles {
		if len(words) > 0 && !account.HasWords(tile.Name+" "+tile.Address.Host, words) {
			continue
		}
		out.Tiles = append(out.Tiles, views.Tile{
			AppMark: views.MarkOf(tile.App),
			Slug:    tile.Slug,
			Host:    tile.Address.Host,
			IsNew:   tile.IsNew,
			Locked:  tile.Access.SecondStep && !hasFactor,
			Paused:  tile.Paused,
		})
	}
	return out, nil
}

// showOwnApps lists the apps in which the visitor is signed in, or that have something of
// theirs.
func (s *Server) showOwnApps(rc *requestContext) error {
	card, err := s.ownApps(rc)
	if err != nil {
		return err
	}
	f, err := s.frame(rc)
	if err != nil {
		return err
	}
	return s.show(rc, http.StatusOK, views.OwnAppsCard(card), views.OwnAppsPage(f, card))
}

// ownApps are those apps, guarded or connected, each once.
func (s *Server) ownApps(rc *requestContext) (card views.OwnApps, err error) {
	at := map[int64]int{}
	row := func(a apps.App) *views.OwnApp {
		i, known := at[a.ID]
		if !known {
			i = len(card.Rows)
			at[a.ID] = i
			card.Rows = append(card.Rows, views.OwnApp{AppMark: views.MarkOf(a), Slug: a.Slug})
		}
		return &card.Rows[i]
	}
	guarded, err := s.store.AppSessions(rc.ctx(), rc.visitor, rc.now)
	if err != nil {
		return card, err
	}
	for _, one := range guarded {
		r := row(one.App)
		r.Sessions = append(r.Sessions, views.OwnAppSession{
			Browser: views.Browser(one.Browser),
			MadeAt:  one.MadeAt,
			Current: one.Current,
		})
	}
	connected, err := s.store.ConnectedApps(rc.ctx(), rc.visitor, rc.now)
	if err != nil {
		return card, err
	}
	for _, one := range connected {
		r := row(one.App)
		r.SignedInAt, r.Offline, r.Agreed = one.SignedInAt, one.Offline, one.Agreed
	}
	sort.SliceStable(card.Rows, func(i, j int) bool {
		return account.SortKey(card.Rows[i].Name) < account.SortKey(card.Rows[j].Name)
	})
	return card, nil
}

// endOwnApp ends what one app has of the visitor. The portal's session stays.
func (s *Server) endOwnApp(rc *requestContext) error {
	app, err := strconv.ParseInt(rc.r.PostFormValue("app"), 10, 64)
	if err != nil {
		return errBadForm // nobody said which
	}
	for _, end := range []func(context.Context, db.Visitor, int64, db.Client, time.Time) error{
		s.store.EndAppSessions, s.store.EndConnectedApp,
	} {
		err := end(rc.ctx(), rc.visitor, app, rc.client, rc.now)
		if err != nil && !errors.Is(err, db.ErrNotFound) { // what has ended meanwhile is what was asked for
			return err
		}
	}
	return s.redirectWithMessage(rc, "/my/profile/apps", pageMessage{word: "app-end"})
}
