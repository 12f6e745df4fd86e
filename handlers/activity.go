package handlers

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"gatehouse/account"
	"gatehouse/db"
	"gatehouse/views"
)

// showActivity shows what happened, the newest first.
func (s *Server) showActivity(rc *requestContext) error {
	query := rc.r.URL.Query()
	filter, card, err := s.activityFilter(rc, query)
	if err != nil {
		return err
	}
	status := http.StatusOK
	if card.Person.Error+card.From.Error+card.Until.Error != "" {
		status = http.StatusUnprocessableEntity
	} else {
		page, err := s.store.Activity(rc.ctx(), filter)
		if err != nil {
			return err
		}
		card.Rows, card.Pagination = viewActivityRows(page.Rows), pagination("/admin/activity", query, page.Next)
	}
	f, err := s.frame(rc)
	if err != nil {
		return err
	}
	return s.show(rc, status, views.ActivityCards(card), views.ActivityPage(f, card))
}

// activityFilter reads the filter from an address, and returns the form as typed with
// what is wrong with it.
func (s *Server) activityFilter(rc *requestContext, query url.Values) (db.Filter, views.Activity, error) {
	filter := db.Filter{Event: account.Event(query.Get("event")), After: query.Get("after")}
	card := views.Activity{
		Person: views.Field{Value: query.Get("person")},
		From:   views.Field{Value: query.Get("from")},
		Until:  views.Field{Value: query.Get("until")},
		Event:  account.Event(query.Get("event")),
	}
	card.Events = account.Events()
	card.Export = listAddress("/admin/activity.csv", query, "")
	card.Filtered = card.Export != "/admin/activity.csv"
	var ok bool
	var err error
	if filter.From, ok = parseDay(card.From.Value); !ok {
		card.From.Error = views.FilterErrorText("from")
	}
	if filter.Until, ok = parseDay(card.Until.Value); !ok {
		card.Until.Error = views.FilterErrorText("until")
	} else if !filter.Until.IsZero() {
		filter.Until = filter.Until.AddDate(0, 0, 1) // the day itself belongs to it
	}
	filter.Person, err = s.findFilteredPerson(rc, card.Person.Value)
	if errors.Is(err, db.ErrNotFound) {
		card.Person.Error = views.FilterErrorText("person")
	} else if err != nil {
		return filter, card, err
	}
	return filter, card, nil
}

// findFilteredPerson finds whom a filter is about by e-mail address, or by number as in "#7"
// for somebody who was removed; nobody is 0. It returns db.ErrNotFound.
func (s *Server) findFilteredPerson(rc *requestContext, typed string) (int64, error) {
	if typed == "" {
		return 0, nil
	}
	if number, ok := strings.CutPrefix(strings.TrimSpace(typed), "#"); ok {
		id, err := strconv.ParseInt(number, 10, 64)
		if err != nil || id <= 0 {
			return 0, db.ErrNotFound
		}
		return id, nil
	}
	p, err := s.store.PersonByEmail(rc.ctx(), typed)
	return p.ID, err
}

// parseDay reads a day in UTC; "" is the zero time and ok.
func parseDay(typed string) (at time.Time, ok bool) {
	if typed == "" {
		return time.Time{}, true
	}
	at, err := time.Parse(time.DateOnly, typed)
	return at, err == nil && at.Year() >= 1970
}

func viewActivityRows(list []db.ActivityRow) []views.ActivityRow {
	out := make([]views.ActivityRow, 0, len(list))
	for _, r := range list {
		out = append(out, views.ActivityRow{
			At:      r.At,
			Event:   r.Event,
			Text:    views.EventText(r.Event, r.OK, r.Method, r.Detail),
			OK:      r.OK,
			Actor:   r.Actor,
			Subject: r.Subject,
			Detail:  r.Detail,
			Address: r.Address,
		})
	}
	return out
}

// exportActivity sends all of a filter's rows as CSV.
func (s *Server) exportActivity(rc *requestContext) error {
	filter, card, err := s.activityFilter(rc, rc.r.URL.Query())
	if err != nil {
		return err
	}
	if card.Person.Error+card.From.Error+card.Until.Error != "" {
		return s.redirect(rc, listAddress("/admin/activity", rc.r.URL.Query(), ""))
	}
	filter.After = ""
	if err := s.noteExport(rc, exportedActivity(filter, card)); err != nil {
		return err
	}
	t, err := s.startCSV(rc, "activity", "time", "event", "result", "who", "who_email", "about", "about_email", "method",
		"detail", "address", "who_kind")
	if err != nil {
		return t.finish(err)
	}
	return t.finish(s.store.EachActivity(rc.ctx(), filter, func(r db.ActivityRow) error {
		result := "success"
		if !r.OK {
			result = "failure"
		}
		return t.writeRow(formatInstant(r.At), string(r.Event), result, partyCell(r.Actor), r.Actor.Email,
			partyCell(r.Subject), r.Subject.Email, string(r.Method), r.Detail, r.Address, string(r.Actor.Kind))
	}))
}

// partyCell is a party's name in a table, or the number of somebody who was removed, as the
// filter takes it.
func partyCell(p account.Party) string {
	if p.Removed() {
		return "#" + strconv.FormatInt(p.ID, 10)
	}
	return p.Name
}

// exportedActivity tells what an export of the activity was narrowed by.
func exportedActivity(filter db.Filter, card views.Activity) string {
	what := "activity"
	if filter.Event.Known() {
		what += ", event " + string(filter.Event)
	}
	if filter.Person != 0 {
		what += ", person " + account.NormalizeEmail(card.Person.Value)
	}
	if !filter.From.IsZero() {
		what += ", from " + card.From.Value
	}
	if !filter.Until.IsZero() {
		what += ", until " + card.Until.Value
	}
	return what
}

// noteExport writes who takes a list away, before the first row leaves. Asking for the
// head alone takes nothing away.
func (s *Server) noteExport(rc *requestContext, what string) error {
	if rc.r.Method == http.MethodHead {
		return nil
	}
	return s.store.NoteExport(rc.ctx(), what, rc.visitor.Author(rc.client), rc.now)
}
