package doctor

import (
	"net/netip"
	"slices"
	"testing"
	"time"
)

var now = time.Date(2026, 11, 27, 3, 0, 0, 0, time.UTC)

// well is a workspace in which nothing is to be done.
func well() Facts {
	return Facts{
		MadeAt:      now.AddDate(-1, 0, 0),
		People:      true,
		BackedUpAt:  now.Add(-25 * time.Hour),
		SuperAdmins: 2,
		BaseURL:     "https://portal.example.org",
		SendsMail:   true,
		Nodes: []Node{
			{Name: "a", Version: "1", Schema: 11, HasKey: true, ClockTold: 2 * time.Second, Ahead: time.Second},
			{Name: "b", Version: "1", Schema: 11, HasKey: true, ClockTold: 2 * time.Second, Ahead: -2 * time.Second},
		},
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2400:cb00::/32")},
		CertificateEnd: now.AddDate(0, 0, 60),
		CertificateAge: 90 * 24 * time.Hour,
	}
}

func TestNothingToDo(t *testing.T) {
	found := Examine(well(), now)
	if Worst(found) != OK || len(found) != 11 {
		t.Errorf("got %+v", found)
	}
	for _, f := range found {
		if f.Level != OK || f.Check == "" {
			t.Errorf("got %+v", f)
		}
	}
}

func TestExamine(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*Facts)
		want  Finding // check, level, reason and count
	}{
		"nobody is there yet":               {func(f *Facts) { f.People, f.SuperAdmins = false, 0 }, Finding{Check: Entry, Level: Warning, Reason: Nobody}},
		"no Super-administrator can get in": {func(f *Facts) { f.SuperAdmins = 0 }, Finding{Check: Entry, Level: Fault, Reason: LockedOut}},
		"an admin has the password alone":   {func(f *Facts) { f.PlainAdmins = 1 }, Finding{Check: AdminFactors, Level: Warning, Reason: Some, Count: 1}},
		"nobody could replace a lost phone": {func(f *Facts) { f.WithoutCodes = 2 }, Finding{Check: AdminCodes, Level: Warning, Reason: Some, Count: 2}},
		"passkeys were left behind":         {func(f *Facts) { f.LeftBehind = 3 }, Finding{Check: Passkeys, Level: Warning, Reason: Some, Count: 3}},
		"the backup is old":                 {func(f *Facts) { f.BackedUpAt = now.AddDate(0, 0, -9) }, Finding{Check: Backup, Level: Warning, Reason: Old, Count: 9}},
		"there never was a backup":          {func(f *Facts) { f.BackedUpAt = time.Time{} }, Finding{Check: Backup, Level: Warning, Reason: Never, Count: 365}},
		"a new workspace without a backup": {func(f *Facts) { f.BackedUpAt, f.MadeAt = time.Time{}, now.Add(-time.Hour) },
			Finding{Check: Backup, Level: OK, Reason: Never}},
		"http beyond this machine": {func(f *Facts) { f.BaseURL = "http://portal.lan" }, Finding{Check: Address, Level: Warning, Reason: Plain}},
		"http on this machine":     {func(f *Facts) { f.BaseURL = "http://[::1]:8080" }, Finding{Check: Address, Level: OK}},
		"no base URL":              {func(f *Facts) { f.BaseURL = "" }, Finding{Check: Address, Level: OK, Reason: Unset}},
		"everybody is a proxy":     {func(f *Facts) { f.TrustedProxies = append(f.TrustedProxies, netip.MustParsePrefix("0.0.0.0/0")) }, Finding{Check: Proxies, Level: Warning, Reason: TooWide, Count: 3}},
		"half of IPv6 is a proxy":  {func(f *Facts) { f.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("2000::/3")} }, Finding{Check: Proxies, Level: Warning, Reason: TooWide, Count: 1}},
		"a proxy never asked":      {func(f *Facts) { f.UnaskedApps, f.UnaskedCount = []string{"Wiki"}, 1 }, Finding{Check: Apps, Level: Warning, Reason: NotAsked, Count: 1}},
		"mails are refused":        {func(f *Facts) { f.MailsFailing = 4 }, Finding{Check: Outbox, Level: Warning, Reason: Refused, Count: 4}},
		"mails wait and nobody sends": {func(f *Facts) { f.MailsWaiting, f.OldestWaiting = 5, now.Add(-2*time.Hour) },
			Finding{Check: Outbox, Level: Warning, Reason: Waiting, Count: 5}},
		"mails wait a little":  {func(f *Facts) { f.MailsWaiting, f.OldestWaiting = 5, now.Add(-time.Minute) }, Finding{Check: Outbox, Level: OK, Count: 5}},
		"no mail server":       {func(f *Facts) { f.SendsMail = false }, Finding{Check: Outbox, Level: OK, Reason: Unset}},
		"a node's key differs": {func(f *Facts) { f.Nodes[1].HasKey = false }, Finding{Check: Nodes, Level: Fault, Reason: OtherKey, Count: 1}},
		"a node's clock":       {func(f *Facts) { f.Nodes[0].Ahead = -3 * time.Second }, Finding{Check: Nodes, Level: Warning, Reason: OtherClock, Count: 1}},
		"a node is older":      {func(f *Facts) { f.Nodes[0].Schema = 10 }, Finding{Check: Nodes, Level: Warning, Reason: OtherSchema, Count: 1}},
		"two versions":         {func(f *Facts) { f.Nodes[1].Version = "2" }, Finding{Check: Nodes, Level: Warning, Reason: OtherBuild, Count: 1}},
		"the certificate ends": {func(f *Facts) { f.CertificateEnd = now.AddDate(0, 0, 13) }, Finding{Check: Certificate, Level: Warning, Reason: Ending, Count: 13}},
		"it has ended":         {func(f *Facts) { f.CertificateEnd = now.Add(-49 * time.Hour) }, Finding{Check: Certificate, Level: Fault, Reason: Ended, Count: 2}},
		"a certificate of six days": {func(f *Facts) { f.CertificateEnd, f.CertificateAge = now.AddDate(0, 0, 2), 6*24*time.Hour },
			Finding{Check: Certificate, Level: OK, Count: 2}},
	} {
		f := well()
		c.spoil(&f)
		if !slices.ContainsFunc(Examine(f, now), func(got Finding) bool {
			return got.Check == c.want.Check && got.Level == c.want.Level && got.Reason == c.want.Reason &&
				(c.want.Count == 0 || got.Count == c.want.Count)
		}) {
			t.Errorf("%s: got %+v; want %+v", name, Examine(f, now), c.want)
		}
	}
}

// TestNewBaseURL tells what a new address breaks, for a month, and only if it breaks something.
func TestNewBaseURL(t *testing.T) {
	f := well()
	f.Former, f.BaseURLAt, f.Connected, f.Links = "https://old.example.org", now.AddDate(0, 0, -29), 2, 1
	found := func() []Finding {
		return slices.DeleteFunc(Examine(f, now), func(f Finding) bool { return f.Check != NewAddress })
	}
	if got := found(); len(got) != 1 || got[0].Moved != (Moved{f.Former, f.BaseURL, 2, 0, 1}) || got[0].Level != Warning {
		t.Errorf("got %+v", got)
	}
	for _, spoil := range []func(){
		func() { f.BaseURLAt = now.AddDate(0, 0, -31) },
		func() { f.Former = f.BaseURL },
		func() { f.Connected, f.Links = 0, 0 },
	} {
		before := f
		spoil()
		if got := found(); len(got) != 0 {
			t.Errorf("got %+v", got)
		}
		f = before
	}
}
