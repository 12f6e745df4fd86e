package doctor

import (
	"net/netip"
	"net/url"
	"slices"
	"time"
)

// A Level says how bad it is.
type Level string

// The levels. They are a promise to scripts.
const (
	OK      Level = "ok"
	Warning Level = "warning" // it works, and somebody should do something
	Fault   Level = "fault"   // something does not work
)

// A Check is what was looked at, in a word. The words are a promise to scripts.
type Check string

// The checks that need no more than the database, and what the server was told.
const (
	Entry        Check = "entry"          // somebody can sign in and put things right
	AdminFactors Check = "admins"         // admins have a second step
	AdminCodes   Check = "recovery-codes" // and Super-administrators a way back in
	Passkeys     Check = "passkeys"       // nobody's were left behind
	Backup       Check = "backup"
	Address      Check = "base-url"
	NewAddress   Check = "new-base-url"
	Proxies      Check = "trusted-proxies"
	Apps         Check = "apps" // their proxies ask
	Outbox       Check = "mail"
	Nodes        Check = "nodes"
	Certificate  Check = "certificate"
)

// Checks lists them, in the order of their findings.
var Checks = []Check{Entry, AdminFactors, AdminCodes, Passkeys, Backup, Address, NewAddress, Proxies, Apps, Outbox, Nodes, Certificate}

// A Reason tells findings of one check apart.
type Reason string

// The reasons.
const (
	Fine        Reason = ""
	Nobody      Reason = "nobody"       // there are no people yet
	LockedOut   Reason = "locked-out"   // no Super-administrator can sign in
	Never       Reason = "never"        // no backup was made yet
	Old         Reason = "old"          // the last backup is
	Plain       Reason = "plain"        // passwords travel in the clear
	Unset       Reason = "unset"        // no base URL, no mail server
	TooWide     Reason = "too-wide"     // anybody there can say who they are
	NotAsked    Reason = "not-asked"    // no proxy has asked about an app yet
	Refused     Reason = "refused"      // mails that were given up
	Waiting     Reason = "waiting"      // mails that nobody sends
	OtherKey    Reason = "other-key"    // a node has another key
	OtherClock  Reason = "other-clock"  // or another time
	OtherSchema Reason = "other-schema" // or knows another schema
	OtherBuild  Reason = "other-build"  // or is of another version
	Ending      Reason = "ending"       // the certificate ends soon
	Ended       Reason = "ended"
	Some        Reason = "some" // what Count says
)

// A Finding is what came of one check.
type Finding struct {
	Check  Check
	Level  Level
	Reason Reason
	Count  int      // of people, days, mails, or what the check is about
	Names  []string // at most a few
	Moved  Moved    // of NewAddress
}

// A Moved is what a new base URL breaks.
type Moved struct {
	From, To  string
	Connected int // apps that know the workspace by its address (the issuer)
	Left      int // people whose passkeys work no more
	Links     int // in mails that were sent before
}

// Facts are what is known of a workspace. Whoever does not know the flags of the server
// leaves what they say empty.
type Facts struct {
	MadeAt     time.Time
	People     bool // there are some
	BackedUpAt time.Time

	SuperAdmins   int // active ones that can sign in
	PlainAdmins   int // active admins without a factor that works
	WithoutCodes  int // Super-administrators with a factor, and no recovery code left
	LeftBehind    int // people with a factor, and none that works at this address
	UnaskedApps   []string
	UnaskedCount  int
	MailsFailing  int // that wait after a failure, or were given up within a day
	MailsWaiting  int
	OldestWaiting time.Time
	Nodes         []Node

	BaseURL   string // of the server that ran last
	Former    string // the one before
	BaseURLAt time.Time
	Connected int // apps
	Links     int // of before BaseURLAt that are still good

	SendsMail      bool
	TrustedProxies []netip.Prefix
	CertificateEnd time.Time // zero where it is not known
	CertificateAge time.Duration
}

// A Node is one that serves now.
type Node struct {
	Name, Version string
	Schema        int
	HasKey        bool
	Ahead         time.Duration
	ClockTold     time.Duration // from which on a clock is told of
}

// How old what may be.
const (
	backupAge  = 7 * 24 * time.Hour
	moveTold   = 30 * 24 * time.Hour // for how long a new base URL is told of
	mailWait   = time.Hour
	endsWithin = 14 * 24 * time.Hour
)

// Examine looks at everything that can be known without leaving the process, in a fixed
// order. What is well has a finding too.
func Examine(f Facts, now time.Time) []Finding {
	all := []Finding{examineEntry(f), {Check: AdminFactors}, {Check: AdminCodes}, {Check: Passkeys}}
	for i, n := range []int{f.PlainAdmins, f.WithoutCodes, f.LeftBehind} {
		if n > 0 {
			all[i+1].Level, all[i+1].Reason, all[i+1].Count = Warning, Some, n
		}
	}
	all = append(all, ExamineBackup(f.BackedUpAt, f.MadeAt, now), ExamineAddress(f.BaseURL))
	if moved, told := examineMove(f, now); told {
		all = append(all, moved)
	}
	if len(f.TrustedProxies) > 0 {
		all = append(all, examineProxies(f.TrustedProxies))
	}
	all = append(all, examineApps(f), examineMail(f, now))
	if len(f.Nodes) > 0 {
		all = append(all, examineNodes(f.Nodes)...)
	}
	if !f.CertificateEnd.IsZero() {
		all = append(all, ExamineCertificate(f.CertificateEnd, f.CertificateAge, now))
	}
	for i := range all {
		if all[i].Level == "" {
			all[i].Level = OK
		}
	}
	return all
}

func examineEntry(f Facts) Finding {
	switch {
	case !f.People:
		return Finding{Check: Entry, Level: Warning, Reason: Nobody}
	case f.SuperAdmins == 0:
		return Finding{Check: Entry, Level: Fault, Reason: LockedOut}
	}
	return Finding{Check: Entry, Count: f.SuperAdmins}
}

// ExamineBackup looks at the age of the last backup. A workspace that was made lately may
// have none.
func ExamineBackup(last, made, now time.Time) Finding {
	found := Finding{Check: Backup, Level: OK}
	since := last
	if last.IsZero() {
		found.Reason, since = Never, made
	}
	age := now.Sub(since)
	found.Count = max(0, int(age/(24*time.Hour)))
	if age > backupAge {
		found.Level = Warning
		if found.Reason == Fine {
			found.Reason = Old
		}
	}
	return found
}

// ExamineAddress looks at the base URL.
func ExamineAddress(base string) Finding {
	found := Finding{Check: Address, Level: OK}
	at, err := url.Parse(base)
	switch {
	case base == "" || err != nil:
		found.Reason = Unset
	case at.Scheme != "https" && !isThisMachine(at.Hostname()):
		found.Level, found.Reason = Warning, Plain
	}
	if base != "" {
		found.Names = []string{base}
	}
	return found
}

func isThisMachine(host string) bool {
	at, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && at.IsLoopback()
}

// examineMove tells of a new base URL for a while, as long as it breaks something.
func examineMove(f Facts, now time.Time) (moved Finding, told bool) {
	m := Moved{From: f.Former, To: f.BaseURL, Connected: f.Connected, Left: f.LeftBehind, Links: f.Links}
	if f.Former == "" || f.Former == f.BaseURL || now.Sub(f.BaseURLAt) > moveTold || m.Connected+m.Left+m.Links == 0 {
		return Finding{}, false
	}
	return Finding{Check: NewAddress, Level: Warning, Reason: Some, Moved: m}, true
}

// examineProxies looks for networks that hold much of the Internet: whoever sends from
// there can say that they are at any address.
func examineProxies(trusted []netip.Prefix) Finding {
	found := Finding{Check: Proxies, Count: len(trusted)}
	for _, network := range trusted {
		if IsTooWide(network) {
			found.Level, found.Reason = Warning, TooWide
			found.Names = append(found.Names, network.String())
		}
	}
	return found
}

// IsTooWide reports whether a network is larger than any that is one's own, or that a
// provider has its proxies in.
func IsTooWide(network netip.Prefix) bool {
	if network.Addr().Is4() {
		return network.Bits() < 8
	}
	return network.Bits() < 20
}

func examineApps(f Facts) Finding {
	if f.UnaskedCount == 0 {
		return Finding{Check: Apps}
	}
	return Finding{Check: Apps, Level: Warning, Reason: NotAsked, Count: f.UnaskedCount, Names: f.UnaskedApps}
}

func examineMail(f Facts, now time.Time) Finding {
	switch {
	case !f.SendsMail:
		return Finding{Check: Outbox, Reason: Unset}
	case f.MailsFailing > 0:
		return Finding{Check: Outbox, Level: Warning, Reason: Refused, Count: f.MailsFailing}
	case f.MailsWaiting > 0 && now.Sub(f.OldestWaiting) > mailWait:
		return Finding{Check: Outbox, Level: Warning, Reason: Waiting, Count: f.MailsWaiting}
	}
	return Finding{Check: Outbox, Count: f.MailsWaiting}
}

// examineNodes compares the nodes with each other: one finding for each thing that is wrong,
// or one that says that nothing is.
func examineNodes(nodes []Node) []Finding {
	newest, version := 0, nodes[0].Version
	for _, n := range nodes {
		newest = max(newest, n.Schema)
	}
	wrong := []struct {
		reason Reason
		level  Level
		is     func(Node) bool
	}{
		{OtherKey, Fault, func(n Node) bool { return !n.HasKey }},
		{OtherSchema, Warning, func(n Node) bool { return n.Schema != newest }},
		{OtherClock, Warning, func(n Node) bool { return n.Ahead.Abs() > n.ClockTold }},
		{OtherBuild, Warning, func(n Node) bool { return n.Version != version }},
	}
	var all []Finding
	for _, w := range wrong {
		var names []string
		for _, n := range nodes {
			if w.is(n) && !slices.Contains(names, n.Name) {
				names = append(names, n.Name)
			}
		}
		if len(names) > 0 {
			all = append(all, Finding{Check: Nodes, Level: w.level, Reason: w.reason, Count: len(names), Names: names})
		}
	}
	if len(all) == 0 {
		return []Finding{{Check: Nodes, Count: len(nodes)}}
	}
	return all
}

// ExamineCertificate looks at when a certificate ends, and how long its whole life is:
// what renews it does so long before the last sixth of it.
func ExamineCertificate(end time.Time, life time.Duration, now time.Time) Finding {
	found := Finding{Check: Certificate, Level: OK, Count: int(end.Sub(now) / (24 * time.Hour))}
	early := endsWithin
	if life > 0 {
		early = min(early, life/6)
	}
	switch left := end.Sub(now); {
	case left <= 0:
		found.Level, found.Reason, found.Count = Fault, Ended, -found.Count
	case left < early:
		found.Level, found.Reason = Warning, Ending
	}
	return found
}

// Worst is the worst level of some findings.
func Worst(all []Finding) Level {
	worst := OK
	for _, f := range all {
		if f.Level == Fault || worst == OK {
			worst = f.Level
		}
	}
	return worst
}
