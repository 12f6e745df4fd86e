package handlers

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"gatehouse/account"
	"gatehouse/db"
	"gatehouse/twofactor"
	"gatehouse/views"
)

// The ways in which a request ends before the store is called.
var (
	errPageNotFound = errors.New("no such page")
	errCrossSite    = errors.New("a form of another site")
	errWrongHost    = errors.New("a request under another name")
	errMustEnroll   = errors.New("stopped by the policy")

	errOtherSession   = errors.New("a form that was shown to another session")
	errOtherChallenge = errors.New("a form that was shown to another challenge")

	errTooLarge = errors.New("the form is too large")
	errBadForm  = errors.New("the form cannot be read")
	errPanic    = errors.New("panic")
)

// retryAfter returns how long a refusal makes people wait, in whole seconds.
func retryAfter(err error, now time.Time) (time.Duration, bool) {
	var wait twofactor.Wait
	if !errors.As(err, &wait) {
		return 0, false
	}
	left := wait.Until.Sub(now) + time.Second - 1 // rounded up, or whoever returns on time is refused again
	return max(time.Second, left.Truncate(time.Second)), true
}

// statusHungUp stands in the log and the metrics for requests whose sender hung up
// before the answer. HTTP has no status for it; this is nginx's.
const statusHungUp = 499

// isClientGone reports whether an error means no more than that whoever sent the request
// did not wait for the answer: that is not an error, and nobody would read a page about
// it.
func isClientGone(r *http.Request, err error) bool {
	return r.Context().Err() != nil && errors.Is(err, context.Canceled)
}

// fail answers an error that no handler has turned into a card. It is the one
// place that maps errors to statuses; none of their texts reaches a page.
func (s *Server) fail(rc *requestContext, err error) {
	if isClientGone(rc.r, err) {
		rc.w.WriteHeader(statusHungUp)
		return
	}
	if spokenByApps[rc.r.Pattern] {
		s.failApp(rc, err)
		return
	}
	var problem views.Problem
	switch {
	case errors.Is(err, db.ErrSignedOut):
		_ = s.redirect(rc, withNext("/signin", requestedPage(rc.r)))
		return
	case errors.Is(err, twofactor.ErrChallengeOver):
		s.redirectChallengeOver(rc)
		return
	case errors.Is(err, errMustEnroll):
		_ = s.redirect(rc, withNext("/my/profile/two-factor", requestedPage(rc.r)))
		return
	case errors.Is(err, errPageNotFound), errors.Is(err, db.ErrNotFound):
		problem = views.NotFound()
	case errors.Is(err, account.ErrNotAllowed):
		problem = views.NotAllowed()
	case errors.Is(err, errCrossSite):
		problem = views.CrossSite()
	case errors.Is(err, errOtherSession):
		problem = views.OtherSession(rc.visitor.Person.Name, rc.visitor.Person.Email)
	case errors.Is(err, errOtherChallenge):
		problem = views.OtherChallenge(rc.challenge.Email)
	case errors.Is(err, errWrongHost):
		problem = views.WrongHost(s.base.String(), rc.r.Host)
	case errors.Is(err, errTooLarge):
		problem = views.TooLarge()
	case errors.Is(err, errBadForm):
		problem = views.BadForm()
	case errors.Is(err, db.ErrBusy):
		rc.w.Header().Set("Retry-After", strconv.Itoa(retryAfterBusy))
		problem = views.Busy(tryAgainAt(rc.r))
	case errors.Is(err, db.ErrUnknownOutcome):
		s.log.Error("outcome unknown", "request", requestID(rc.ctx()), "route", rc.r.Pattern, "error", err)
		rc.w.Header().Set("Retry-After", strconv.Itoa(retryAfterUnavailable))
		problem = views.OutcomeUnknown(tryAgainAt(rc.r))
	case db.IsUnavailable(err), errors.As(err, new(*db.UnfitError)):
		s.log.Error("database unavailable", "request", requestID(rc.ctx()), "route", rc.r.Pattern, "error", err)
		rc.w.Header().Set("Retry-After", strconv.Itoa(retryAfterUnavailable))
		problem = views.Unavailable(requestID(rc.ctx()))
	default:
		s.log.Error("fault", "request", requestID(rc.ctx()), "route", rc.r.Pattern, "error", err)
		if db.IsFull(err) { // somebody makes room
			rc.w.Header().Set("Retry-After", strconv.Itoa(retryAfterUnavailable))
		}
		problem = views.Unavailable(requestID(rc.ctx()))
	}
	s.showProblem(rc, problem)
}

// redirectChallengeOver leads back to the sign-in, and says why to a browser that had a challenge.
// Somebody who is signed in meanwhile goes on to the portal from there.
func (s *Server) redirectChallengeOver(rc *requestContext) {
	if rc.token == "" || rc.isSignedIn() {
		_ = s.redirect(rc, "/signin")
		return
	}
	if err := s.redirectToSignIn(rc, "challenge"); err != nil {
		s.log.Error("cannot leave a message", "request", requestID(rc.ctx()), "error", err)
	}
}

// problemFrame is what surrounds a problem: the portal for somebody who is signed in, as
// far as the database answers, and little without it.
func (s *Server) problemFrame(rc *requestContext, status int) views.Frame {
	little := views.Frame{Assets: s.assets, Path: rc.r.URL.Path, Now: rc.now}
	if status == http.StatusMisdirectedRequest {
		return little // under another name nobody is signed in
	}
	if !rc.isSignedIn() {
		if err := s.findVisitor(rc); err != nil {
			return little
		}
	}
	f, err := s.frame(rc)
	if err != nil {
		little.Workspace = rc.visitor.Workspace.Name
		return little
	}
	return f
}

// tryAgainAt is the page from which a request that was not looked at can be sent again.
func tryAgainAt(r *http.Request) string {
	if strings.HasPrefix(r.URL.Path, "/signin/two-factor") {
		return "/signin/two-factor"
	}
	if page := requestedPage(r); page != "" {
		return page
	}
	return "/signin"
}

// retryAfterBusy is after how many seconds it is worth trying again when too many
// passwords were being checked at once.
const retryAfterBusy = 3

// retryAfterUnavailable is the same where a database on a server does not answer.
const retryAfterUnavailable = 5

// showProblem shows a whole page that tells what went wrong, or to htmx a line of the
// same beside the card, which could not be sent again if it were replaced. It works
// without the database.
func (s *Server) showProblem(rc *requestContext, problem views.Problem) {
	// Whoever has closed only their half of the connection, in the middle of a form, still
	// reads the answer.
	rc.r = rc.r.WithContext(context.WithoutCancel(rc.ctx()))
	f := s.problemFrame(rc, problem.Status)
	if rc.isHTMX() {
		rc.w.Header().Set("HX-Retarget", "#fault")
		rc.w.Header().Set("HX-Reswap", "innerHTML")
	}
	err := s.show(rc, problem.Status, views.ProblemLine(problem), views.ProblemPage(f, problem))
	if err != nil {
		s.log.Error("cannot render error page", "request", requestID(rc.ctx()), "error", err)
		http.Error(rc.w, http.StatusText(problem.Status), problem.Status)
	}
}
