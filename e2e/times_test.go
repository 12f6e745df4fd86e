package e2e

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// TestTimes looks at every page that shows instants, in a browser in Kiritimati, fourteen hours
// ahead of UTC: on pages and
// in what htmx swaps they are local, and without script in UTC, saying so. The CSV is in UTC always.
func TestTimes(t *testing.T) {
	for _, script := range []bool{true, false} {
		t.Run(mode(script), func(t *testing.T) {
			t.Parallel()
			w := &walkthrough{t: t, site: startSite(t), script: script, ledger: newLedger()}
			w.site.addPerson(sue, "super-administrator")
			w.site.addPerson(mia, "member")
			b := w.open()
			b.zone("Pacific/Kiritimati")
			w.signIn(b, sue)
			phone, _ := w.enrol(b)
			w.times(b, "the recovery codes")
			for _, path := range []string{"/my/profile", twoFactorPath, "/admin/people"} {
				b.Visit(path)
				w.times(b, path)
			}
			w.days(b)
			w.site.run("", "policy", "set", "--admins", "on")
			b.Visit("/admin/people")
			b.WaitFor("on the machine by", ".admin-notice")
			w.times(b, "a notice")
			b.Click(mia.name, "main")
			w.times(b, "a person's page")
			b.Click("Make a password link", "form")
			b.WaitFor("Password link")
			w.times(b, "a link that has just been made")
			w.signOut(b)
			w.signIn(b, sue)
			b.Click(lostPhone)
			w.times(b, "the challenge")
			w.enterCode(b, phone.wrong())
			w.times(b, "a refusal at the challenge")
			w.enterCode(b, phone.code())
			b.WaitFor("A wrong code was entered after your password on")
			w.times(b, "My portal")
		})
	}
}

// days demands that Activity has its rows under the days that they are of, in the browser's zone or in UTC.
func (w *walkthrough) days(b *tab) {
	w.t.Helper()
	b.Visit("/admin/activity")
	zone, suffix := time.FixedZone("", 14*60*60), ""
	if !w.script {
		zone, suffix = time.FixedZone("", 0), " UTC"
	}
	rows := evaluate[[][]string](b, `() => [...document.querySelectorAll("[data-days] tbody tr")].map(r =>
		r.className === "table__day" ? [r.innerText.trim()] : [r.querySelector("time").textContent, r.querySelector("time").dateTime])`)
	day := ""
	for _, row := range rows {
		if len(row) == 1 {
			day = row[0]
			continue
		}
		at, err := time.Parse(time.RFC3339, row[1])
		b.must("read an instant", err)
		at = at.In(zone)
		if want := strings.Replace(at.Format("Monday, 2 Jan 2006"), "Sep", "Sept", 1) + suffix; w.script && day != want ||
			!w.script && day != at.Format("Monday, 2 Jan 2006")+suffix {
			b.fail("%s stands under %q, not under %q", row[1], day, want)
		}
		if want := at.Format("15:04:05") + suffix; row[0] != want {
			b.fail("%s is shown as %q, not %q", row[1], row[0], want)
		}
	}
	if len(rows) < 3 {
		b.fail("Activity has %d rows", len(rows))
	}
}

// shownTimes are the visible instants of a page: what stands there, its title, and the instant itself.
const shownTimes = `() => [...document.querySelectorAll("time")].map(e => [e.textContent.trim(), e.title, e.getAttribute("datetime")])`

// times demands that the page shows instants, each in the browser's zone, or in UTC where there is no script.
func (w *walkthrough) times(b *tab, where string) {
	w.t.Helper()
	zone := time.FixedZone("", 14*60*60)
	shown := evaluate[[][]string](b, shownTimes)
	if len(shown) == 0 {
		b.fail("%s shows no instant", where)
	}
	for _, parts := range shown {
		at, err := time.Parse("2006-01-02T15:04:05Z", parts[2])
		if err != nil {
			b.fail("%s: the instant %q is not in UTC: %v", where, parts[2], err)
		}
		utc, local := at.Format("2 Jan 2006"), strings.Replace(at.In(zone).Format("2 Jan 2006"), "Sep", "Sept", 1)
		switch text, title := parts[0], parts[1]; {
		case !w.script && !(strings.HasPrefix(text, utc) && strings.HasSuffix(text, " UTC")):
			b.fail("%s: %q is not %s in UTC", where, text, parts[2])
		case w.script && (!strings.HasPrefix(text, local) || strings.Contains(text, "UTC")):
			b.fail("%s: %q is not %s in the browser's zone", where, text, parts[2])
		case w.script && !strings.HasSuffix(title, " UTC"):
			b.fail("%s: %q does not tell UTC in its title", where, text)
		case w.script && strings.Contains(text, ":") && !strings.Contains(text, at.In(zone).Format("15:04")):
			b.fail("%s: %q is not the local time of %s", where, text, parts[2])
		}
	}
	if left := regexp.MustCompile(`\d\d:\d\d(:\d\d)? UTC`).FindString(b.Text()); w.script && left != "" {
		b.fail("%s shows %q outside of a <time>", where, left)
	}
}

// zone puts the tab into a time zone.
func (b *tab) zone(name string) {
	b.t.Helper()
	_, err := chromedp.Call(b.ctx, emulation.SetTimezoneOverride, emulation.SetTimezoneOverrideParams{TimezoneID: name})
	b.must("change the time zone", err)
}
