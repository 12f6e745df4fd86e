package views

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"gatehouse/doctor"
)

// TestFindingTexts demands a sentence of each finding, and one that says what to do of each
// that is not well.
func TestFindingTexts(t *testing.T) {
	now := time.Date(2026, 11, 27, 3, 0, 0, 0, time.UTC)
	node := doctor.Node{Name: "b", Version: "1", Schema: 11, HasKey: true, ClockTold: time.Second}
	bad := node
	bad.Name, bad.HasKey, bad.Version, bad.Schema, bad.Ahead = "a", false, "2", 10, time.Minute
	all := map[string]doctor.Facts{
		"empty": {MadeAt: now},
		"well": {MadeAt: now.AddDate(-1, 0, 0), People: true, SuperAdmins: 1, BackedUpAt: now, BaseURL: "https://portal.example.org",
			SendsMail: true, Nodes: []doctor.Node{node}, CertificateEnd: now.AddDate(0, 1, 0),
			TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/32")}},
		"bad": {MadeAt: now.AddDate(-1, 0, 0), People: true, PlainAdmins: 1, WithoutCodes: 2, LeftBehind: 3, BaseURL: "http://portal.lan",
			SendsMail: true, MailsFailing: 2, Nodes: []doctor.Node{node, bad}, CertificateEnd: now.Add(-time.Hour),
			UnaskedApps: []string{"Wiki", "Grafana", "Git"}, UnaskedCount: 5,
			Former: "https://old.example.org", BaseURLAt: now, Connected: 1, Links: 2,
			TrustedProxies: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}},
		"old": {MadeAt: now.AddDate(-1, 0, 0), People: true, SuperAdmins: 1, BackedUpAt: now.AddDate(0, 0, -8), SendsMail: true,
			MailsWaiting: 1, OldestWaiting: now.Add(-2 * time.Hour), CertificateEnd: now.Add(25 * time.Hour)},
	}
	for name, facts := range all {
		for _, f := range doctor.Examine(facts, now) {
			seen, advice := FindingText(f)
			if CheckName(f.Check) == "" || !strings.HasSuffix(seen, ".") || (f.Level == doctor.OK) != (advice == "") {
				t.Errorf("%s: %+v reads %q, %q", name, f, seen, advice)
			}
		}
	}
	for want, f := range map[string]doctor.Finding{
		"Wiki, Grafana, Git and 2 more": {Check: doctor.Apps, Level: doctor.Warning, Reason: doctor.NotAsked, Count: 5,
			Names: []string{"Wiki", "Grafana", "Git"}},
		"1 day ago": {Check: doctor.Backup, Level: doctor.OK, Count: 1},
	} {
		if seen, _ := FindingText(f); !strings.Contains(seen, want) {
			t.Errorf("%q lacks %q", seen, want)
		}
	}
}
