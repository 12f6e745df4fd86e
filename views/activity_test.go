package views

import (
	"testing"
	"time"

	"gatehouse/account"
)

// TestEveryEventHasItsWords walks the table of events: each has its own words in the
// filter and in the list, and what people are told at their next sign-in a sentence.
func TestEveryEventHasItsWords(t *testing.T) {
	seen := map[string]account.Event{}
	options := eventOptions(account.Events())[1:]
	for i, event := range account.Events() {
		text := EventText(event, true, "", "")
		if text == "" || text == string(event) || options[i][1] == "" {
			t.Errorf("%s is worded %q, %q", event, text, options[i][1])
		}
		if other, taken := seen[options[i][1]]; taken {
			t.Errorf("%s and %s are both %q", event, other, options[i][1])
		}
		seen[options[i][1]] = event
	}
	for _, event := range append(account.EventsToldAtSignIn(), account.SignInFailed, account.SignedIn) {
		if Happened(event, 1, time.Unix(0, 0), "") == (Dated{}) {
			t.Errorf("nothing is told of %s", event)
		}
	}
	for _, method := range account.Methods {
		if methods[method] == "" {
			t.Errorf("%s has no words", method)
		}
	}
	if len(events) != len(account.Events()) {
		t.Errorf("%d events have words, there are %d", len(events), len(account.Events()))
	}
}
