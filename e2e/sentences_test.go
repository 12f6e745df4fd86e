package e2e

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
)

// sentence is one promise of the user guide.
type sentence struct {
	words   string // how the guide says it, shortened
	promise string // what is meant
	script  bool   // true when it can only be kept with JavaScript
}

// guide is everything that the user guide promises, in its order. Each row needs a proof by a walk with
// JavaScript and by one without, except those that can only be kept with it.
var guide = []sentence{
	// Set up two-factor authentication
	{words: "adds a second sign-in step", promise: "once enabled, the password alone does not sign in"},
	{
		words:   "an attacker still needs the rotating 6-digit code to reach your account",
		promise: "with the password alone no page of the account opens",
	},
	{
		words:   "Any TOTP-compatible app works",
		promise: "an independent authenticator makes codes that are accepted, with an app's defaults",
	},
	{words: "You need a signed-in account on the workspace", promise: "signed out, the screen leads to the sign-in"},
	{words: "No admin role is required; every user can enrol their own account", promise: "a Member sets it up"},
	{words: "from the My portal under My profile → Two-factor authentication", promise: "the links lead there"},
	{words: "go straight to /my/profile/two-factor", promise: "the address works"},

	// How the screen reports its state
	{words: "The Authenticator app (TOTP) card", promise: "the card has this heading"},
	{words: "Not configured (slate)", promise: "the badge and its colour"},
	{words: "A short explainer and an Enable two-factor button", promise: "what the card shows while not configured"},
	{words: "Pending confirmation (amber)", promise: "the badge and its colour"},
	{words: "A QR code, the secret to copy, and a 6-digit code field", promise: "what the card shows while pending"},
	{words: "Enabled (emerald)", promise: "the badge and its colour"},
	{words: "The date you confirmed", promise: "the card shows today's date once enabled"},
	{words: "a Regenerate recovery codes button", promise: "on the Enabled card"},
	{words: "a collapsed Disable two-factor section", promise: "its field is not seen until it is opened"},
	{words: "A pending enrolment does not protect your account", promise: "no second step while pending"},
	{words: "does not block password sign-in", promise: "the password signs in while pending"},
	{
		words:   "only active once you complete the confirmation step below and the badge turns Enabled",
		promise: "nothing but a right code enables it",
	},

	// Enable two-factor
	{words: "In the My portal sidebar, select My profile", promise: "the link stands in the sidebar"},
	{
		words:   "In the Two-factor authentication card, select Set up two-factor",
		promise: "leads straight to the Pending card with a QR code",
	},
	{words: "(or Enable two-factor on the management screen)", promise: "leads to the Pending card with a QR code"},
	{words: "scan the QR code under Step 1", promise: "a QR reader reads the key from the screen"},
	{words: "select Copy next to the secret", promise: "the secret is on the clipboard", script: true},
	{words: "Under Step 2, enter the current 6-digit code", promise: "the field for the code"},
	{
		words:   "Select Confirm and enable",
		promise: "the button that enables; with JavaScript the sixth digit presses it",
	},
	{
		words:   "Two-factor authentication is now active. Save your recovery codes — they're shown once.",
		promise: "the green confirmation",
	},
	{words: "your recovery codes are displayed immediately", promise: "the panel comes with the confirmation"},
	{
		words:   "The code rotates every 30 seconds",
		promise: "the QR code names no other period, and the codes of 30-second steps are accepted",
	},
	{words: "The server accepts the current code", promise: "accepted"},
	{words: "plus the one immediately before", promise: "accepted"},
	{words: "and after it", promise: "accepted"},
	{words: "roughly a minute of clock drift", promise: "codes beyond the window are refused"},
	{
		words:   "If a code is rejected, wait for the next one and try again",
		promise: "a refusal does not stand in the way of the next code",
	},
	{words: "If you reload the page", promise: "the pending secret is discarded"},
	{words: "or navigate away", promise: "the pending secret is discarded"},
	{words: "Select Enable two-factor again to mint a fresh QR code", promise: "another secret"},

	// Save your recovery codes
	{words: "an amber Save these recovery codes — shown ONCE panel", promise: "the panel, its words and its colour"},
	{words: "Each code is formatted XXXX-XXXX", promise: "every code, in upper case"},
	{words: "Number of codes: 8", promise: "eight, all different"},
	{
		words:   "Each code signs you in once if you lose your authenticator app",
		promise: "a code signs in instead of the app",
	},
	{words: "a code is invalidated the moment it's used", promise: "the same code is refused afterwards"},
	{words: "never displayed again", promise: "not on reload, not on Back, not in the page's source"},
	{words: "Select Copy all codes", promise: "the full set is on the clipboard", script: true},
	{words: "this immediately invalidates the old set", promise: "a code of the old set is refused"},

	// Sign in with two-factor
	{words: "every sign-in adds a verification step after your password is accepted", promise: "at each sign-in"},
	{words: "Two-factor verification", promise: "the heading of the challenge page"},
	{words: "Password accepted. Enter your code to continue.", promise: "its text"},
	{words: "then Verify and sign in", promise: "the button signs in with a code of the app"},
	{words: "Select Lost your phone? Use a recovery code", promise: "opens the field for a recovery code"},
	{words: "then Use recovery code", promise: "the button signs in with a recovery code"},
	{words: "Selecting Sign in as a different user", promise: "cancels the challenge and returns to the login screen"},
	{words: "Using a recovery code consumes it permanently", promise: "one fewer is left, and it never works again"},
	{words: "After signing in this way, open My profile", promise: "the way to Regenerate is open"},

	// Regenerate recovery codes
	{words: "(the card must show Enabled)", promise: "no such button before"},
	{
		words:   "Generate new recovery codes? Old codes will stop working immediately.",
		promise: "the prompt; nothing happens before it is confirmed",
	},
	{words: "A new 8-code panel appears", promise: "eight codes, none of them old"},
	{
		words:   "The previous codes stop working at once, so re-save the new set",
		promise: "the old are refused, the new work",
	},

	// Disable two-factor
	{words: "removes the second sign-in step", promise: "afterwards the password alone signs in"},
	{words: "Expand the rose Disable two-factor section", promise: "it opens, and its colour"},
	{words: "Enter your Current password", promise: "the field"},
	{words: "Select Disable two-factor", promise: "the button disables"},
	{words: "The card returns to the Not configured state and a confirmation appears", promise: "both"},
	{
		words:   "disabling it sends you straight back to this setup page on your next request",
		promise: "when the policy applies",
	},
	{words: "You can't sign out of the requirement", promise: "signing out and in again changes nothing"},

	// When your organisation requires two-factor
	{words: "from Admin → Settings → Security with either of two policy levers", promise: "the links lead there"},
	{words: "Require MFA for everyone", promise: "stops a Member"},
	{words: "Require MFA for admins: not a Member", promise: "does not stop a Member"},
	{words: "Require MFA for admins: Administrator", promise: "stops them"},
	{words: "Require MFA for admins: IT administrator", promise: "stops them"},
	{words: "Require MFA for admins: super-administrator", promise: "stops them"},
	{words: "redirects every page you open to My profile → Two-factor authentication", promise: "every page"},
	{
		words:   "Two-factor authentication is required by your organisation. Set it up to continue.",
		promise: "the message stands there",
	},
	{words: "You can still reach the enrolment steps", promise: "a stopped person enables two-factor"},
	{words: "sign out", promise: "a stopped person signs out"},
	{words: "and complete the login challenge", promise: "an enrolled person passes the challenge under the policy"},
	{
		words:   "normal navigation stays blocked until the card shows Enabled",
		promise: "blocked while pending, free at once after",
	},

	// Troubleshooting
	{words: "The secret and QR produce the same account", promise: "the secret on the card is the QR code's"},
	{words: "Your code is rejected with That code did not match", promise: "the words of the refusal"},
	{words: "a stale code", promise: "a code that was used is refused"},
	{
		words:   "a clock more than ~1 minute off the server will fail",
		promise: "refused, and at enrolment told how far it is off",
	},
	{
		words:   `No pending enrollment. Click "Enable" to start over appears on confirm`,
		promise: "after the secret was discarded",
	},
	{words: "You lost your phone and can't get a code", promise: "a saved recovery code signs in"},
	{words: "issue a fresh set of 8", promise: "after using codes there are 8 again"},
	{words: "Password did not match. Two-factor remains enabled.", promise: "on a wrong password, and it does"},
	{
		words:   "Every page keeps redirecting you to this setup screen",
		promise: "completing the enrolment unblocks navigation",
	},
}

// ledger keeps which sentences were proved, and where.
type ledger struct {
	mu     sync.Mutex
	proofs map[proofKey][]string
}

type proofKey struct {
	words  string
	script bool
}

func newLedger() *ledger {
	return &ledger{proofs: map[proofKey][]string{}}
}

// prove runs a check and, when the test still stands after it, writes down that it proves these sentences.
func (l *ledger) prove(t testing.TB, script bool, check func(), words ...string) {
	t.Helper()
	for _, w := range words {
		if !slices.ContainsFunc(guide, func(s sentence) bool { return s.words == w }) {
			t.Fatalf("the guide's list has no row %q", w)
		}
	}
	check()
	if t.Failed() {
		return
	}
	_, file, line, _ := runtime.Caller(2)
	where := fmt.Sprintf("%s (%s:%d)", t.Name(), file[strings.LastIndex(file, "/")+1:], line)
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, w := range words {
		key := proofKey{w, script}
		if !slices.Contains(l.proofs[key], where) {
			l.proofs[key] = append(l.proofs[key], where)
		}
	}
}

// check fails for every sentence without a proof, and lists the proofs of the others.
func (l *ledger) check(t *testing.T) {
	for _, s := range guide {
		t.Run(s.words, func(t *testing.T) {
			for _, script := range []bool{true, false} {
				if s.script && !script {
					continue
				}
				proofs := l.proofs[proofKey{s.words, script}]
				if len(proofs) == 0 {
					t.Errorf("no proof %s: %s", mode(script), s.promise)
				}
				for _, proof := range proofs {
					t.Logf("%s: %s, by %s", mode(script), s.promise, proof)
				}
			}
		})
	}
}

// mode names a walk.
func mode(script bool) string {
	if script {
		return "with JavaScript"
	}
	return "without JavaScript"
}
