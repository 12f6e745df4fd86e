package handlers

import (
	"gatehouse/account"
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
