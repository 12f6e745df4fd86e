package handlers

import (
	"errors"
	"net/http"
	"strconv"

	"gatehouse/account"
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
		if !account.HasWords(tile.Name+" "+tile.Address.Host, words) {
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
	list, err := s.store.ConnectedApps(rc.ctx(), rc.visitor, rc.now)
	if err != nil {
		return err
	}
	var card views.OwnApps
	for _, one := range list {
		card.Rows = append(card.Rows, views.OwnApp{
			AppMark:    views.MarkOf(one.App),
			Slug:       one.App.Slug,
			Host:       one.App.Address.Host,
			SignedInAt: one.SignedInAt,
			Offline:    one.Offline,
			Agreed:     one.Agreed,
		})
	}
	f, err := s.frame(rc)
	if err != nil {
		return err
	}
	return s.show(rc, http.StatusOK, views.OwnAppsCard(card), views.OwnAppsPage(f, card))
}

// endOwnApp ends what one app has of the visitor. The portal's session stays.
func (s *Server) endOwnApp(rc *requestContext) error {
	app, err := strconv.ParseInt(rc.r.PostFormValue("app"), 10, 64)
	if err != nil {
		return errBadForm // nobody said which
	}
	err = s.store.EndConnectedApp(rc.ctx(), rc.visitor, app, rc.client, rc.now)
	if err != nil && !errors.Is(err, db.ErrNotFound) { // what has ended meanwhile is what was asked for
		return err
	}
	return s.redirectWithMessage(rc, "/my/profile/apps", pageMessage{word: "app-end"})
}
