package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestOverviewPages looks at the overview of a workspace that has just begun and of one that
// was used for months, as TestPages looks at the other pages.
func TestOverviewPages(t *testing.T) {
	s := startSite(t)
	g := &gallery{
		t:      t,
		site:   s,
		axe:    readTool(t, "node_modules/axe-core/axe.min.js"),
		folder: os.Getenv("GATEHOUSE_SCREENS"),
		html:   t.TempDir(),
	}
	s.addPerson(ada, "super-administrator")
	s.addPerson(mia, "member")
	b := openBrowser(t, s)
	b.givePassword(ada)
	b.Click("Overview", ".sidebar")
	b.WaitFor("No backup was made yet: the workspace is less than a week old.")
	g.look(b, "overview-new")

	s.run("", "app", "add", "Wiki", "https://wiki.example.org", "--guard", "--everyone")
	s.fillTally()
	b.Visit("/admin")
	if got := b.Count("svg.chart__drawing g"); got != 60 {
		t.Errorf("%d days in the charts of 30 days of sign-ins and of apps", got)
	}
	g.look(b, "overview")
	g.validate()
}

// fillTally writes what three months leave behind: people and who has enrolled, sign-ins on
// working days, and a few refusals.
func (s *site) fillTally() {
	s.t.Helper()
	var rows []string
	today := time.Now().Unix() / 86400
	for i := range int64(90) {
		day := today - 89 + i
		enrolled, people := i*i/2700, 1+(i+20)/30
		row := func(what string, n int64) { rows = append(rows, fmt.Sprintf("(%d, '%s', 3, %d)", day, what, n)) }
		row("enrolled", enrolled)
		row("people", people)
		if weekday := day % 7; weekday != 2 && weekday != 3 {
			row("sign-in", 3+people+(i*7)%11)
			row("sign-in-refused", (i*5)%4)
			row("app-opened", 2*people+(i*3)%17)
			row("app-refused", i%2)
		}
	}
	file := filepath.Join(s.data, "gatehouse.db")
	out, err := exec.Command(tool(s.t, "sqlite3", "sqlite3"), file,
		".timeout 10000", "INSERT OR REPLACE INTO tally (day, what, shard, n) VALUES "+strings.Join(rows, ", "),
		"UPDATE person SET enrolled = 1, enrolled_here = 1 WHERE id > 1",
		"INSERT INTO tally (day, what, shard, n) SELECT 0, 'enrolled', id % 16, 1 FROM person WHERE id > 1").CombinedOutput()
	if err != nil {
		s.t.Fatalf("%v\n%s", err, out)
	}
}
