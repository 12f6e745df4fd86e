package handlers

import (
	"net/http"

	"gatehouse/views"
)

// overviewDays is how many days the overview shows who has enrolled.
const overviewDays = 90

// showOverview shows how the workspace stands.
func (s *Server) showOverview(rc *requestContext) error {
	days, err := s.store.Tally(rc.ctx(), rc.now, overviewDays)
	if err != nil {
		return err
	}
	found, err := s.findings(rc.ctx(), rc.now)
	if err != nil {
		return err
	}
	hasApps, err := s.store.HasApps(rc.ctx())
	if err != nil {
		return err
	}
	o := views.Overview{Findings: found, Version: s.version, HasApps: hasApps}
	for _, d := range days {
		o.Days = append(o.Days, views.OverviewDay{
			Day:        d.Day,
			SignIns:    d.SignIns,
			Refused:    d.Refused,
			AppsOpened: d.AppsOpened,
			AppsShut:   d.AppsRefused,
			People:     d.People,
			Enrolled:   d.Enrolled,
			IsNoted:    d.IsNoted,
		})
	}
	f, err := s.frame(rc)
	if err != nil {
		return err
	}
	page := views.OverviewPage(f, o)
	return s.show(rc, http.StatusOK, page, page)
}
