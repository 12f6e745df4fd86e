//go:build bench && unix

package handlers_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"testing"
	"time"

	"gatehouse/db/dbtest"
	"gatehouse/twofactor"
)

// fewPeople is how many the small workspace of BenchmarkGrowth has.
const fewPeople = 100

// growthRounds is how often a step's turn goes from one workspace to the other.
const growthRounds = 20

// BenchmarkGrowth runs the pages and the steps of a sign-in in a workspace of a
// hundred people and in one of GATEHOUSE_PEOPLE (100,000 when not set), each with
// ten rows of activity a person. Turns alternate; it reports the median CPU time
// of each and their ratio. Each address shows as much in both. Filling takes
// minutes: task growth runs it alone.
func BenchmarkGrowth(b *testing.B) {
	many := 100_000
	if text := os.Getenv("GATEHOUSE_PEOPLE"); text != "" {
		var err error
		if many, err = strconv.Atoi(text); err != nil {
			b.Fatal(err)
		}
	}
	var sites [2]*bench
	var admins [2]*browser
	var members [2]string
	for i, people := range []int{fewPeople, many} {
		s := serveBench(b, &site{
			t:     b,
			store: dbtest.OpenRecommended(b, b.TempDir()),
			now:   dbtest.Start,
		}, people, 10*people)
		s.add("admin@example.org", twofactor.SuperAdmin)
		s.add("new@example.org", twofactor.Member)
		sites[i], admins[i], members[i] = s, s.signedIn("admin@example.org"), s.signedIn("new@example.org").cookies["gatehouse"]
	}
	page := func(path string) func(int) func() {
		return func(i int) func() { return func() { admins[i].get(path).wantStatus(http.StatusOK) } }
	}
	for _, step := range []struct {
		name string
		turn func(i int) func() // prepares one, and returns what is measured
	}{
		{"sign-in-page", func(i int) func() { return func() { sites[i].browser().get("/signin").wantStatus(http.StatusOK) } }},
		{"portal", page("/my")},
		{"profile", page("/my/profile")},
		{"two-factor", page("/my/profile/two-factor")},
		{"people", page("/admin/people")},
		{"people-by-address", page("/admin/people?q=person000077@example.org")},
		{"people-by-name", page("/admin/people?q=person+000077")},
		{"people-that-fill-a-page", page("/admin/people?q=person0000")},
		{"people-by-what-all-share", page("/admin/people?q=example")},
		{"people-filtered", page("/admin/people?two_factor=enabled&account=active")},
		{"people-by-last-sign-in", page("/admin/people?sort=last-sign-in")},
		{"person", page("/admin/people/77")},
		{"security", page("/admin/settings/security")},
		{"not-enrolled", page("/admin/settings/not-enrolled")},
		{"general", page("/admin/settings/general")},
		{"overview", page("/admin")},
		{"activity", page("/admin/activity")},
		{"activity-by-event", page("/admin/activity?event=authn_login_success")},
		{"activity-by-person-and-event",
			page("/admin/activity?event=authn_login_success&person=person000077@example.org")},
		{"activity-by-person", page("/admin/activity?person=person000077@example.org")},
		{"enable", func(i int) func() {
			return func() {
				sites[i].serve(formRequest("/my/profile/two-factor/enable", nil), http.StatusOK, "gatehouse",
					members[i])
			}
		}},
		{"challenge", func(i int) func() { // from here on the clock moves: sessions end
			o := sites[i].newPendingSignIn()
			return func() {
				sites[i].serve(httptest.NewRequest("GET", "/signin/two-factor", nil), http.StatusOK,
					"gatehouse-challenge", o.token)
			}
		}},
		{"password-step", func(i int) func() {
			runtime.GC() // 19 MiB are left by each
			sites[i].advance(time.Minute)
			email := sites[i].next().Email
			return func() {
				sites[i].serve(formRequest("/signin", url.Values{"email": {email}, "password": {dbtest.Password}}),
					http.StatusSeeOther)
			}
		}},
		{"second-step", func(i int) func() {
			o := sites[i].newPendingSignIn()
			return func() { sites[i].secondStep(o) }
		}},
	} {
		b.Run(step.name, func(b *testing.B) {
			// The collector comes between the turns: within them it would fall to one side.
			defer debug.SetGCPercent(debug.SetGCPercent(-1))
			var turns [2][]float64
			for range growthRounds {
				for i := range sites {
					runtime.GC()
					turns[i] = append(turns[i],
						cpuTime(b, max(1, b.N/growthRounds), func() func() { return step.turn(i) }))
				}
			}
			small, large := median(turns[0]), median(turns[1])
			b.ReportMetric(small, "cpu-ms-few")
			b.ReportMetric(large, "cpu-ms-many")
			b.ReportMetric(large/small, "x-few")
			b.ReportMetric(0, "ns/op") // it would count both workspaces and the preparing
		})
	}
}

// cpuTime returns the CPU time of one turn, in milliseconds: the mean of n. It is like
// measure, without the benchmark's own clock.
func cpuTime(b *testing.B, n int, prepare func() func()) float64 {
	var used time.Duration
	for range n {
		do := prepare()
		start := cpu(b)
		do()
		used += cpu(b) - start
	}
	return float64(used) / float64(n) / float64(time.Millisecond)
}

func median(of []float64) float64 {
	slices.Sort(of)
	return of[len(of)/2]
}
