package views

import (
	"fmt"
	"strings"
	"time"

	"gatehouse/apps"
)

// A GuardRequest is what an app's proxy asked last, while the app was being checked.
type GuardRequest struct {
	At      time.Time
	Peer    string
	Family  apps.Family
	Method  string
	Address string
	Status  int
	Fault   apps.GuardFault
}

// familyName is which headers say where a request was going.
func familyName(f apps.Family) string {
	switch f {
	case apps.Original:
		return "X-Original-URL and -Method (nginx)"
	case apps.Forwarded:
		return "X-Forwarded-Host, -Uri, -Proto and -Method (Caddy, Traefik)"
	}
	return "none that is complete"
}

// decisionText is what the proxy was answered.
func decisionText(status int) string {
	switch status {
	case 200:
		return "let through"
	case 303:
		return "sent to the sign-in"
	case 401:
		return "asked to sign in"
	case 400:
		return "refused: unclear"
	case 403:
		return "refused"
	}
	return fmt.Sprintf("answered %d", status)
}

// CheckFound says in a sentence what is wrong with what an app's proxy asks, or that nothing
// is; fine reports which.
func CheckFound(a apps.App, r GuardRequest) (m Message, fine bool) {
	switch r.Fault {
	case apps.NoFault, apps.NotAllowed, apps.OtherOrigin:
		return Message{
			Text:   "The proxy asks as it should.",
			Advice: "Requests to " + a.Address.String() + " are guarded. Make sure that the app itself can be reached through the proxy alone.",
		}, true
	case apps.UntrustedPeer:
		return Message{
			Text:   "Gatehouse was asked by " + r.Peer + ", which is not a trusted proxy.",
			Advice: "If this is your proxy, start Gatehouse with --trusted-proxy " + r.Peer + " (GATEHOUSE_TRUSTED_PROXY).",
		}, false
	case apps.UnknownHost:
		return Message{
			Text:   "The proxy asks about " + r.Address + ", and no app is there.",
			Advice: "Let the proxy pass on the host name that browsers ask for, or correct the app's address.",
		}, false
	case apps.OtherScheme:
		return Message{
			Text:   "The proxy asks about " + r.Address + ", and the app's address is " + a.Address.String() + ".",
			Advice: "If another proxy in front ends https, let this one pass on the scheme that browsers use; or correct the app's address.",
		}, false
	case apps.OtherPort:
		return Message{
			Text:   "The proxy asks about " + r.Address + ", and the app's address is " + a.Address.String() + ".",
			Advice: "Correct the port in the app's address, or let the proxy pass on the one that browsers use.",
		}, false
	case apps.NotGuarded:
		return Message{Text: "The proxy asks, but the app is not set to be guarded.", Advice: "Tick “A proxy asks before each request” and save."}, false
	case apps.PausedApp:
		return Message{Text: "The proxy asks as it should, but the app is paused.", Advice: "Resume it when people may open it."}, false
	case apps.GuardFault(apps.HeadersMissing):
		return Message{
			Text:   "The proxy does not say where requests are going.",
			Advice: "Use the configuration above: nginx sends X-Original-URL and X-Original-Method; Caddy and Traefik send X-Forwarded-Host, -Uri, -Proto and -Method.",
		}, false
	case apps.GuardFault(apps.HeadersDisagree):
		return Message{
			Text:   "The proxy sends headers of two kinds that say different things.",
			Advice: "With nginx set X-Forwarded-Host, -Uri, -Proto and -Method to \"\", as in the configuration above.",
		}, false
	case apps.GuardFault(apps.HeadersTwice), apps.GuardFault(apps.HeadersUnclear):
		return Message{
			Text:   "The proxy sends a header twice, or one that cannot be read.",
			Advice: "Check whether two proxies stand one behind the other and both add headers; use the configuration above for the one that asks.",
		}, false
	}
	return Message{Text: "The proxy asked and was answered " + fmt.Sprint(r.Status) + ".", Advice: "See the log of the server."}, false
}

// CheckNothing says that the proxy did not ask in the minute of a check.
func CheckNothing(a apps.App) Message {
	return Message{
		Text: "The proxy has not asked.",
		Advice: "Open " + a.Address.String() + " in a browser during the minute. If it opens and nothing arrives here, the proxy " +
			"does not ask: check that the configuration is loaded, and that it reaches Gatehouse.",
	}
}

// CheckRows are what a check shows of a request.
func CheckRows(r GuardRequest) [][2]string {
	rows := [][2]string{{"Asked by", r.Peer}, {"Headers", familyName(r.Family)}}
	if r.Address != "" {
		rows = append(rows, [2]string{"Request", strings.TrimSpace(r.Method + " " + r.Address)})
	}
	return append(rows, [2]string{"Decision", decisionText(r.Status)})
}
