package views

import (
	"fmt"
	"strings"

	"gatehouse/doctor"
)

// checkNames are the checks as people read them.
var checkNames = map[doctor.Check]string{
	doctor.Entry:        "Administrators",
	doctor.AdminFactors: "Two-factor of admins",
	doctor.AdminCodes:   "Recovery codes",
	doctor.Passkeys:     "Passkeys",
	doctor.Backup:       "Backup",
	doctor.Address:      "Base URL",
	doctor.NewAddress:   "New base URL",
	doctor.Proxies:      "Trusted proxies",
	doctor.Apps:         "Guarded apps",
	doctor.Outbox:       "Mail",
	doctor.Nodes:        "Nodes",
	doctor.Certificate:  "Certificate",
}

// CheckName is a check as people read it.
func CheckName(c doctor.Check) string { return checkNames[c] }

// MovedText says what a new base URL breaks, where findings tell of one.
func MovedText(all []doctor.Finding) (m Message) {
	for _, f := range all {
		if f.Check == doctor.NewAddress {
			m.Text, m.Advice = FindingText(f)
		}
	}
	return m
}

// FindingText says what was found, and what to do about it; "" for nothing.
func FindingText(f doctor.Finding) (seen, advice string) {
	names, n := strings.Join(f.Names, ", "), f.Count
	if more := n - len(f.Names); len(f.Names) > 0 && more > 0 {
		names = fmt.Sprintf("%s and %d more", names, more)
	}
	switch f.Check {
	case doctor.Entry:
		return entryText(f)
	case doctor.AdminFactors:
		if n == 0 {
			return "All admins have a second step.", ""
		}
		return plural(n, "admin has", "admins have") + " no second step.",
			"Ask them to set it up, or require it: Settings, Security, or gatehouse policy set --admins on."
	case doctor.AdminCodes:
		if n == 0 {
			return "Super-administrators have a way back in when they lose a phone.", ""
		}
		return plural(n, "Super-administrator has", "Super-administrators have") + " no recovery code left.",
			"Ask them to make a new set on their profile. Whoever loses the phone without one needs gatehouse two-factor reset EMAIL."
	case doctor.Passkeys:
		if n == 0 {
			return "Nobody's passkeys were left behind at another address.", ""
		}
		return plural(n, "person is", "people are") + " left without a second step that works: their passkeys were made for another address.",
			"Keep the old name with --passkey-domain, or let them sign in with a recovery code and add a passkey."
	case doctor.Backup:
		return backupText(f)
	case doctor.Address:
		return addressText(f, names)
	case doctor.NewAddress:
		return movedText(f.Moved)
	case doctor.Proxies:
		if f.Reason == doctor.TooWide {
			return "Trusted proxies are too wide: " + strings.Join(f.Names, ", ") + ". Whoever sends from there can say that they are at any address.",
				"Name only your proxies' own addresses with --trusted-proxy."
		}
		return plural(n, "address or network", "addresses or networks") + " of trusted proxies.", ""
	case doctor.Apps:
		if n == 0 {
			return "No guarded app waits for its proxy.", ""
		}
		return "Nobody has come through the proxy of " + names + " yet.",
			"Put the lines of gatehouse app show NAME --nginx (--caddy, --traefik) into the proxy, then run gatehouse app check NAME. Until then the app may be open to everybody."
	case doctor.Outbox:
		return outboxText(f)
	case doctor.Nodes:
		return nodesText(f, names)
	case doctor.Certificate:
		return certificateText(f)
	}
	return "", ""
}

func entryText(f doctor.Finding) (seen, advice string) {
	switch f.Reason {
	case doctor.Nobody:
		return "There is nobody in the workspace yet.", "Open the set-up link; gatehouse setup-link makes another."
	case doctor.LockedOut:
		return "No Super-administrator can sign in.",
			"See gatehouse user list. Make one anew with gatehouse user add EMAIL --name NAME --role super-administrator, or take a lost phone away with gatehouse two-factor reset EMAIL."
	}
	return plural(f.Count, "Super-administrator", "Super-administrators") + " can sign in.", ""
}

func backupText(f doctor.Finding) (seen, advice string) {
	age := "today"
	if f.Count > 0 {
		age = plural(f.Count, "day", "days") + " ago"
	}
	if f.Reason == doctor.Never {
		seen = "No backup was made yet."
	} else {
		seen = "The last backup was made " + age + "."
	}
	switch {
	case f.Level == doctor.OK && f.Reason == doctor.Never:
		return "No backup was made yet: the workspace is less than a week old.", ""
	case f.Level == doctor.OK:
		return seen, ""
	}
	return seen, "Run gatehouse backup FILE from a timer. If something else makes the copies, let it run gatehouse backup --note afterwards."
}

func addressText(f doctor.Finding, base string) (seen, advice string) {
	switch f.Reason {
	case doctor.Unset:
		return "No base URL is set: pages answer under whatever name is used.", ""
	case doctor.Plain:
		return base + " is not https: passwords travel in the clear.", "Put https in front, and change --base-url to https://…"
	}
	return "The workspace is at " + base + ".", ""
}

func movedText(m doctor.Moved) (seen, advice string) {
	var broken, do []string
	if m.Connected > 0 {
		broken = append(broken, plural(m.Connected, "connected app knows", "connected apps know")+" the old address as issuer")
		do = append(do, "change the issuer in each connected app to "+m.To)
	}
	if m.Left > 0 {
		broken = append(broken, "the passkeys of "+plural(m.Left, "person", "people")+" work no more")
		do = append(do, "keep the old name with --passkey-domain, or let people add new passkeys")
	}
	if m.Links > 0 {
		broken = append(broken, plural(m.Links, "link leads", "links lead")+" to the old address")
		do = append(do, "send the old address on to the new one until they have ended")
	}
	return "The workspace was at " + m.From + " before. Since then " + strings.Join(broken, ", ") + ".",
		upperFirst(strings.Join(do, "; ")) + "."
}

func outboxText(f doctor.Finding) (seen, advice string) {
	switch f.Reason {
	case doctor.Unset:
		return "No mail server is set: links are shown on the screen, and people learn of changes at their next sign-in.", ""
	case doctor.Refused:
		return plural(f.Count, "mail was", "mails were") + " not taken by the mail server within a day.",
			"Settings, Mail shows its answers; gatehouse mail test ADDRESS tries it now."
	case doctor.Waiting:
		return plural(f.Count, "mail waits", "mails wait") + " for more than an hour, and nobody sends.",
			"Start the server with the mail settings."
	}
	if f.Count > 0 {
		return plural(f.Count, "mail waits", "mails wait") + " to be sent.", ""
	}
	return "Mails are sent, and none waits.", ""
}

func nodesText(f doctor.Finding, names string) (seen, advice string) {
	switch f.Reason {
	case doctor.OtherKey:
		return "Another key file is on " + names + ": it serves nothing.", "Copy the workspace's key file there, and restart it."
	case doctor.OtherSchema:
		return "An older version serves on " + names + ".", "Install the newest version there, and restart it."
	case doctor.OtherBuild:
		return "Other versions serve on " + names + ".", "Install one version everywhere."
	case doctor.OtherClock:
		return "The clock is off on " + names + ".", "Set it right by NTP (timedatectl set-ntp true), and the database server's."
	}
	return plural(f.Count, "node serves", "nodes serve") + " the workspace, alike in key, clock and version.", ""
}

func certificateText(f doctor.Finding) (seen, advice string) {
	const renew = "Renew it. One that Gatehouse obtains renews itself when ports 80 and 443 can be reached from outside; the log says why it did not. " +
		"After putting a new file in place: systemctl reload gatehouse."
	switch f.Reason {
	case doctor.Ended:
		return "The certificate has ended.", renew
	case doctor.Ending:
		return "The certificate ends in " + plural(f.Count, "day", "days") + ".", renew
	}
	return "The certificate is good for " + plural(f.Count, "more day", "more days") + ".", ""
}
