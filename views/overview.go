package views

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"gatehouse/doctor"
)

// Overview is the page that administrators open first.
type Overview struct {
	Days     []OverviewDay // the oldest first, today's last
	Findings []doctor.Finding
	Version  string
	HasApps  bool
}

// An OverviewDay is what was counted on one day (UTC).
type OverviewDay struct {
	Day                  time.Time
	SignIns, Refused     int
	AppsOpened, AppsShut int // opened for the first time that day by somebody, and refused to somebody
	People, Enrolled     int // at its end
	IsNoted              bool
}

// chartDays is how many days the charts of single days show.
const chartDays = 30

// today is the newest day.
func (o Overview) today() OverviewDay { return o.Days[len(o.Days)-1] }

// lately are the days of the charts of single days.
func (o Overview) lately() []OverviewDay { return o.Days[max(0, len(o.Days)-chartDays):] }

// enrolledText says how many have enrolled.
func (o Overview) enrolledText() string {
	d := o.today()
	switch {
	case d.People == 0:
		return "There is nobody yet"
	case d.Enrolled == d.People && d.People == 1:
		return "1 person, who has enrolled"
	case d.Enrolled == d.People:
		return "All " + strconv.Itoa(d.People) + " people have enrolled"
	}
	return fmt.Sprintf("%d of %s", d.Enrolled, plural(d.People, "person has enrolled", "people have enrolled"))
}

// missingText says how many have not enrolled; "" for nobody.
func (o Overview) missingText() string {
	d := o.today()
	if n := d.People - d.Enrolled; n > 0 {
		return plural(n, "person has", "people have") + " not enrolled"
	}
	return ""
}

// share is how many percent have enrolled, never rounded up to all of them.
func (o Overview) share() int {
	d := o.today()
	if d.People == 0 {
		return 0
	}
	return d.Enrolled * 100 / d.People
}

// sum adds what a chart shows up.
func (o Overview) sum(of func(OverviewDay) int) (n int) {
	for _, d := range o.lately() {
		n += of(d)
	}
	return n
}

func signInsOf(d OverviewDay) int { return d.SignIns }
func refusedOf(d OverviewDay) int { return d.Refused }
func openedOf(d OverviewDay) int  { return d.AppsOpened }
func shutOf(d OverviewDay) int    { return d.AppsShut }

// troubles are the findings that somebody has to do something about, the worst first.
func (o Overview) troubles() (out []doctor.Finding) {
	for _, level := range []doctor.Level{doctor.Fault, doctor.Warning} {
		for _, f := range o.Findings {
			if f.Level == level {
				out = append(out, f)
			}
		}
	}
	return out
}

// well are the findings that are as they should be.
func (o Overview) well() (out []doctor.Finding) {
	for _, f := range o.Findings {
		if seen, _ := FindingText(f); f.Level == doctor.OK && seen != "" {
			out = append(out, f)
		}
	}
	return out
}

// The charts' drawing is this wide and high; the browser makes it as wide as the card.
const (
	chartWidth  = 600
	chartHeight = 120
)

// A bar is a day of a chart: two counts, one above the other.
type bar struct {
	Title                             string // read by a mouse that rests on it
	X, Width, Low, LowHigh, Top, High string // as SVG's attributes are written; High is "" for no second count
}

// bars draws days: lower below, upper above it.
func bars(days []OverviewDay, lower, upper func(OverviewDay) int, lowerWord, upperWord string) []bar {
	most := max(1, mostOf(days, lower, upper))
	step := float64(chartWidth) / float64(len(days))
	out := make([]bar, 0, len(days))
	for i, d := range days {
		low := barHeight(lower(d), most)
		high := barHeight(upper(d), most)
		b := bar{
			Title:   fmt.Sprintf("%s: %d %s, %d %s", chartDay(d.Day), lower(d), lowerWord, upper(d), upperWord),
			X:       number(float64(i)*step + step*.14),
			Width:   number(step * .72),
			Low:     number(chartHeight - low),
			LowHigh: number(low),
		}
		if high > 0 {
			b.Top, b.High = number(chartHeight-low-high), number(high)
		}
		out = append(out, b)
	}
	return out
}

// mostOf is what a chart's highest bar shows.
func mostOf(days []OverviewDay, lower, upper func(OverviewDay) int) (most int) {
	for _, d := range days {
		most = max(most, lower(d)+upper(d))
	}
	return most
}

// barHeight is a count's height: what is there at all can be seen.
func barHeight(n, most int) float64 {
	if n == 0 {
		return 0
	}
	return max(2, float64(n)*chartHeight/float64(most))
}

// line draws one count of the days that are noted as an SVG path, or "".
func line(days []OverviewDay, of func(OverviewDay) int, most int) string {
	var path strings.Builder
	step := float64(chartWidth) / float64(max(1, len(days)-1))
	for i, d := range days {
		if !d.IsNoted {
			continue
		}
		command := "L"
		if path.Len() == 0 {
			command = "M"
		}
		height := float64(of(d)) * (chartHeight - 6) / float64(max(1, most))
		path.WriteString(command + number(float64(i)*step) + " " + number(chartHeight-2-height))
	}
	return path.String()
}

// area closes a line down to the ground.
func area(path string) string {
	if path == "" {
		return ""
	}
	from, _, _ := strings.Cut(strings.TrimPrefix(path, "M"), " ")
	return path + "L" + strconv.Itoa(chartWidth) + " " + strconv.Itoa(chartHeight) + "L" + from + " " + strconv.Itoa(chartHeight) + "Z"
}

// mostPeople is how high the chart of who has enrolled is.
func mostPeople(days []OverviewDay) int {
	most := 1
	for _, d := range days {
		most = max(most, d.People, d.Enrolled)
	}
	return most
}

// hasPast reports whether two days at least can be compared.
func (o Overview) hasPast() bool {
	return len(o.Days) > 1 && o.Days[len(o.Days)-2].IsNoted
}

// changedDays are the noted days that are not as the day before, the newest first.
func changedDays(days []OverviewDay) (out []OverviewDay) {
	for i := len(days) - 1; i >= 0; i-- {
		d := days[i]
		if d.IsNoted && (i == 0 || !days[i-1].IsNoted || days[i-1].People != d.People || days[i-1].Enrolled != d.Enrolled) {
			out = append(out, d)
		}
	}
	return out
}

func peopleOf(d OverviewDay) int   { return d.People }
func enrolledOf(d OverviewDay) int { return d.Enrolled }

// number writes a coordinate with a decimal at most.
func number(x float64) string {
	return strings.TrimSuffix(strconv.FormatFloat(x, 'f', 1, 64), ".0")
}

func chartDay(day time.Time) string { return day.Format("2 Jan") }

// findingIcon is the sign of a finding's level.
func findingIcon(l doctor.Level) string {
	switch l {
	case doctor.Fault:
		return "refused"
	case doctor.Warning:
		return "warning"
	}
	return "done"
}
