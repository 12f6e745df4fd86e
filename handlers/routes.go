package handlers

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"gatehouse/apps"
)

// access is who may come to a route. It is decided on the route that matched, never on
// the address, so that no spelling of a path bypasses it.
type access int

const (
	public    access = iota // anybody
	challenge               // whoever has given the right password and not yet the second factor
	enrolling               // anybody signed in, also whom the policy stops
	member                  // anybody signed in whom the policy does not stop
	admin                   // members with an admin's role
)

// A route is one row of the map.
type route struct {
	method  string
	path    string
	access  access
	page    string // where a GET on an action's address goes; "" where a GET row stands for itself
	handler func(*Server, *requestContext) error
}

// routes lists every address; nothing else is reachable.
var routes = []route{
	{"GET", "/{$}", public, "", (*Server).redirectToPortal},
	{"GET", "/healthz", public, "", (*Server).showHealth},
	{"GET", "/static/{file}", public, "", (*Server).showFile},
	{"GET", "/favicon.ico", public, "", (*Server).showIcon},
	{"GET", "/.well-known/webauthn", public, "", (*Server).showRelatedOrigins},
	{"GET", "/.well-known/change-password", public, "", (*Server).changePasswordPage},

	{"GET", "/setup/{token}", public, "", (*Server).showSetup},
	{"POST", "/setup/{token}", public, "", (*Server).setUp},

	{"GET", "/welcome/{token}", public, "", (*Server).showWelcome},
	{"POST", "/welcome/{token}", public, "", (*Server).useLink},

	{"GET", "/signin", public, "", (*Server).showSignIn},
	{"POST", "/signin", public, "", (*Server).signIn},
	{"GET", "/signin/forgot", public, "", (*Server).showForgot},
	{"POST", "/signin/forgot", public, "", (*Server).forgotPassword},
	{"GET", "/not-me/{token}", public, "", (*Server).showNotMe},
	{"POST", "/not-me/{token}", public, "", (*Server).closeAccount},
	{"GET", "/signin/two-factor", challenge, "", (*Server).showChallenge},
	{"POST", "/signin/two-factor", challenge, "", (*Server).verifyCode},
	{"POST", "/signin/two-factor/recovery", challenge, "/signin/two-factor", (*Server).redeemRecoveryCode},
	{"POST", "/signin/two-factor/passkey", challenge, "/signin/two-factor", (*Server).verifyPasskey},
	{"POST", "/signin/passkey", public, "/signin", (*Server).signInWithPasskey},
	{"POST", "/signin/passkey/begin", public, "/signin", (*Server).beginPasskeySignIn},
	{"POST", "/signin/two-factor/cancel", challenge, "/signin/two-factor", (*Server).cancelChallenge},
	{"GET", "/signout", public, "", (*Server).showLeavePortal},
	{"POST", "/signout", enrolling, "", (*Server).signOut},
	{"GET", "/signin/again", enrolling, "", (*Server).showAgainPage},
	{"POST", "/signin/again", enrolling, "", (*Server).proveAgain},
	{"POST", "/signin/again/passkey", enrolling, "/signin/again", (*Server).proveAgainByPasskey},

	{"GET", "/enter/{app}", member, "", (*Server).enterApp},
	{"GET", "/enter/{app}/signout", public, "", (*Server).showLeaveApp},
	{"POST", "/enter/{app}/signout", enrolling, "", (*Server).signOut},

	{"GET", "/.well-known/openid-configuration", public, "", (*Server).showDiscovery},
	{"GET", "/oauth/keys", public, "", (*Server).showKeys},
	{"GET", "/oauth/authorize", public, "", (*Server).showAuthorize},
	{"POST", "/oauth/authorize", public, "", (*Server).postAuthorize},
	{"POST", "/oauth/consent", member, "/my", (*Server).answerConsent},
	{"POST", "/oauth/token", public, "", (*Server).exchangeToken},
	{"GET", "/oauth/userinfo", public, "", (*Server).showUserInfo},
	{"POST", "/oauth/userinfo", public, "", (*Server).showUserInfo},
	{"POST", "/oauth/revoke", public, "", (*Server).revokeToken},
	{"GET", "/oauth/signout", public, "", (*Server).showSignOut},
	{"POST", "/oauth/signout", public, "", (*Server).postSignOut},
	{"POST", "/oauth/signout/confirm", enrolling, "/my", (*Server).confirmSignOut},

	{"GET", "/help/two-factor", public, "", (*Server).showHelp},

	{"GET", "/my", member, "", (*Server).showHome},
	{"GET", "/apps/{id}/icon", member, "", (*Server).showAppIcon},
	{"GET", "/my/profile", member, "", (*Server).showProfile},
	{"GET", "/my/profile/apps", member, "", (*Server).showOwnApps},
	{"POST", "/my/profile/apps/end", member, "/my/profile/apps", (*Server).endOwnApp},
	{"POST", "/my/profile/password", member, "/my/profile", (*Server).changePassword},
	{"POST", "/my/profile/sessions/end", member, "/my/profile", (*Server).endSessions},
	{"POST", "/my/profile/browsers/end", member, "/my/profile", (*Server).forgetBrowser},

	{"GET", "/my/profile/notifications", member, "", (*Server).showNotifications},
	{"POST", "/my/profile/notifications", member, "", (*Server).setNotifications},
	{"POST", "/my/policy/later", member, "/my", (*Server).hidePolicy},

	{"GET", "/my/profile/two-factor", enrolling, "", (*Server).showTwoFactor},
	{"POST", "/my/profile/two-factor/enable", enrolling, "/my/profile/two-factor", (*Server).enableTwoFactor},
	{"POST", "/my/profile/two-factor/confirm", enrolling, "/my/profile/two-factor", (*Server).confirmTwoFactor},
	{"POST", "/my/profile/two-factor/replace", member, "/my/profile/two-factor", withProof((*Server).replaceTwoFactor)},
	{"POST", "/my/profile/two-factor/replace/cancel", member, "/my/profile/two-factor", (*Server).cancelReplacement},
	{"POST", "/my/profile/two-factor/check", member, "/my/profile/two-factor", (*Server).checkRecoveryCode},
	{"POST", "/my/profile/two-factor/regenerate", member, "/my/profile/two-factor", (*Server).regenerateRecoveryCodes},
	{"POST", "/my/profile/two-factor/disable", member, "/my/profile/two-factor", (*Server).disableTwoFactor},
	{"POST", "/my/profile/two-factor/turn-on", member, "/my/profile/two-factor", (*Server).turnFactorsOn},
	{"POST", "/my/profile/two-factor/app/remove", member, "/my/profile/two-factor", (*Server).removeAuthenticatorApp},
	{"POST", "/my/profile/two-factor/passkeys/begin", enrolling, "/my/profile/two-factor", withProof((*Server).beginPasskey)},
	{"POST", "/my/profile/two-factor/passkeys/add", enrolling, "/my/profile/two-factor", withProof((*Server).addPasskey)},
	{"POST", "/my/profile/two-factor/passkeys/{handle}/rename", enrolling, "/my/profile/two-factor", (*Server).renamePasskey},
	{"POST", "/my/profile/two-factor/passkeys/{handle}/remove", enrolling, "/my/profile/two-factor", withProof((*Server).removePasskey)},

	{"GET", "/admin", admin, "", (*Server).showOverview},
	{"GET", "/admin/people", admin, "", (*Server).showPeople},
	{"GET", "/admin/people.csv", admin, "", (*Server).exportPeople},
	{"POST", "/admin/people/invite", admin, "/admin/people", withProof((*Server).invitePerson)},
	{"GET", "/admin/people/{id}", admin, "", (*Server).showPerson},
	{"POST", "/admin/people/{id}/edit", admin, "/admin/people/{id}", withProofForAdmins((*Server).editPerson)},
	{"POST", "/admin/people/{id}/deactivate", admin, "/admin/people/{id}", withProofForAdmins((*Server).deactivatePerson)},
	{"POST", "/admin/people/{id}/reactivate", admin, "/admin/people/{id}", withProofForAdmins((*Server).reactivatePerson)},
	{"POST", "/admin/people/{id}/sessions/end", admin, "/admin/people/{id}", (*Server).endSessionsOf},
	{"POST", "/admin/people/{id}/link", admin, "/admin/people/{id}", withProof((*Server).makeLink)},
	{"POST", "/admin/people/{id}/two-factor/reset", admin, "/admin/people/{id}", withProof((*Server).resetTwoFactor)},
	{"POST", "/admin/people/{id}/remove", admin, "/admin/people/{id}", withProof((*Server).removePerson)},
	{"POST", "/admin/people/{id}/unlock", admin, "/admin/people/{id}", (*Server).unlockPerson},

	{"GET", "/admin/apps", admin, "", (*Server).showApps},
	{"GET", "/admin/apps/new", admin, "", withProof((*Server).showNewApp)},
	{"POST", "/admin/apps/add", admin, "/admin/apps/new", withProof((*Server).addApp)},
	{"GET", "/admin/apps/{id}", admin, "", (*Server).showApp},
	{"GET", "/admin/apps/{id}/why", admin, "", (*Server).explainApp},
	{"POST", "/admin/apps/{id}/edit", admin, "/admin/apps/{id}", (*Server).editApp},
	{"POST", "/admin/apps/{id}/access", admin, "/admin/apps/{id}", withProof((*Server).changeAppAccess)},
	{"POST", "/admin/apps/{id}/connect", admin, "/admin/apps/{id}", withProof((*Server).changeConnection)},
	{"POST", "/admin/apps/{id}/connect/redirect", admin, "/admin/apps/{id}", withProof((*Server).addRedirect)},
	{"POST", "/admin/apps/{id}/secret", admin, "/admin/apps/{id}", withProof((*Server).makeSecret)},
	{"POST", "/admin/apps/{id}/guard", admin, "/admin/apps/{id}", withProof((*Server).changeAppGuard)},
	{"POST", "/admin/apps/{id}/check", admin, "/admin/apps/{id}", (*Server).checkApp},
	{"POST", "/admin/apps/{id}/pause", admin, "/admin/apps/{id}", withProof((*Server).pauseApp)},
	{"POST", "/admin/apps/{id}/resume", admin, "/admin/apps/{id}", withProof((*Server).resumeApp)},
	{"POST", "/admin/apps/{id}/remove", admin, "/admin/apps/{id}", withProof((*Server).removeApp)},

	{"GET", "/admin/groups", admin, "", (*Server).showGroups},
	{"POST", "/admin/groups/add", admin, "/admin/groups", withProof((*Server).addGroup)},
	{"GET", "/admin/groups/{id}", admin, "", (*Server).showGroup},
	{"POST", "/admin/groups/{id}/rename", admin, "/admin/groups/{id}", withProof((*Server).renameGroup)},
	{"POST", "/admin/groups/{id}/members", admin, "/admin/groups/{id}", withProof((*Server).setGroupMembers)},
	{"POST", "/admin/groups/{id}/remove", admin, "/admin/groups/{id}", withProof((*Server).removeGroup)},

	{"GET", "/admin/activity", admin, "", (*Server).showActivity},
	{"GET", "/admin/activity.csv", admin, "", (*Server).exportActivity},

	{"POST", "/admin/notices/dismiss", admin, "/my", (*Server).dismissNotices},
	{"POST", "/admin/notices/{id}/dismiss", admin, "/my", (*Server).dismissNotice},

	{"GET", "/admin/settings/not-enrolled", admin, "", (*Server).showNotEnrolled},
	{"GET", "/admin/settings/not-enrolled.csv", admin, "", (*Server).exportNotEnrolled},
	{"GET", "/admin/settings/security", admin, "", (*Server).showSecurity},
	{"POST", "/admin/settings/security", admin, "", withProof((*Server).setPolicy)},
	{"POST", "/admin/settings/security/remind", admin, "/admin/settings/security", (*Server).remindOfPolicy},
	{"GET", "/admin/settings/sessions", admin, "", (*Server).showSessionLengths},
	{"POST", "/admin/settings/sessions", admin, "", withProof((*Server).changeSessionLengths)},
	{"GET", "/admin/settings/mail", admin, "", (*Server).showMail},
	{"POST", "/admin/settings/mail/test", admin, "/admin/settings/mail", (*Server).sendTestMail},
	{"GET", "/admin/settings/general", admin, "", (*Server).showGeneral},
	{"POST", "/admin/settings/general", admin, "", (*Server).renameWorkspace},
}

// The addresses on the hosts of guarded apps, for trusted proxies alone. Caddy and Traefik ask
// at the first about all of them.
const (
	checkPath   = apps.GuardPath + "check"
	startPath   = apps.GuardPath + "start"
	enterPath   = apps.GuardPath + "enter"
	refusedPath = apps.GuardPath + "refused"
	leavePath   = apps.GuardPath + "signout"
)

// guardRoutes lists these, by any method: nothing of what is asked there tells who may come.
var guardRoutes = []struct {
	path    string
	handler func(*Server, *guardRequest) error
}{
	{checkPath, (*Server).checkRequest},
	{startPath, (*Server).startApp},
	{enterPath, (*Server).finishEnter},
	{refusedPath, (*Server).showRefused},
	{leavePath, (*Server).leaveApp},
}

// routeMux hands each request to the row that matches it, after authorization.
func (s *Server) routeMux() *http.ServeMux {
	mux := http.NewServeMux()
	for _, row := range routes {
		mux.HandleFunc(row.method+" "+row.path, s.authorize(row))
		if row.page != "" {
			mux.HandleFunc("GET "+row.path, func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, row.pageAddress(r), http.StatusSeeOther)
			})
		}
	}
	mux.HandleFunc("/", s.authorize(route{access: public, handler: func(*Server, *requestContext) error { return errPageNotFound }}))
	return mux
}

// pageAddress is the page that an action's request belongs to.
func (r route) pageAddress(request *http.Request) string {
	return strings.ReplaceAll(r.page, "{id}", url.PathEscape(request.PathValue("id")))
}

// String returns a row as the tests and the log name it.
func (r route) String() string { return fmt.Sprintf("%s %s", r.method, r.path) }
