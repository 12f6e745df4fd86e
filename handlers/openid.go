package handlers

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"gatehouse/openid"
	"gatehouse/twofactor"
)

// issuer names this server to connected apps: the base URL. Without one there is nothing to
// connect to.
func (s *Server) issuer() (string, error) {
	if s.base == nil {
		return "", errPageNotFound
	}
	return s.base.String(), nil
}

// publicDocumentAge is how long apps keep what discovery and keys say, in seconds.
const publicDocumentAge = 300

// showDiscovery answers with the document by which apps find everything else.
func (s *Server) showDiscovery(rc *requestContext) error {
	issuer, err := s.issuer()
	if err != nil {
		return err
	}
	document, err := openid.Discovery(issuer)
	if err != nil {
		return err
	}
	return publicJSON(rc, document)
}

// showKeys answers with the public keys that sign, did so lately or will soon.
func (s *Server) showKeys(rc *requestContext) error {
	if _, err := s.issuer(); err != nil {
		return err
	}
	public, err := s.store.PublishedKeys(rc.ctx(), rc.now)
	if err != nil {
		return err
	}
	document, err := openid.KeySet(public)
	if err != nil {
		return err
	}
	return publicJSON(rc, document)
}

// publicJSON answers with a document that any page on any site may read: it says nothing
// that is anybody's own.
func publicJSON(rc *requestContext, document []byte) error {
	h := rc.w.Header()
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	h.Set("Cache-Control", "public, max-age="+strconv.Itoa(publicDocumentAge))
	return writeJSON(rc, http.StatusOK, document)
}

func writeJSON(rc *requestContext, status int, document []byte) error {
	rc.w.Header().Set("Content-Type", "application/json")
	rc.w.WriteHeader(status)
	_, _ = rc.w.Write(document) // the app may be gone
	return nil
}

// spokenByApps are the addresses that apps call and no browser shows: their refusals and
// faults are the protocol's.
var spokenByApps = map[string]bool{
	"GET /.well-known/openid-configuration": true,
	"GET /oauth/keys":                       true,
	"POST /oauth/token":                     true,
	"GET /oauth/userinfo":                   true,
	"POST /oauth/userinfo":                  true,
	"POST /oauth/revoke":                    true,
}

// spokenAcrossSites are the addresses that pages of other sites may post to, as the protocol
// has it. None acts by a cookie: authorize and signout lead to their own pages, and the
// others are the apps' servers'.
var spokenAcrossSites = []string{authorizePath, "/oauth/token", "/oauth/userinfo", "/oauth/revoke", signOutPath}

// failApp answers an app with what went wrong, as RFC 6749 (5.2) says it.
func (s *Server) failApp(rc *requestContext, err error) {
	refusal, status := openid.Refusal{}, http.StatusBadRequest
	var wait twofactor.Wait
	switch {
	case errors.Is(err, errPageNotFound):
		status, refusal = http.StatusNotFound, openid.Refusal{Code: openid.InvalidRequest, Text: "this server has no base URL"}
	case errors.Is(err, errTooLarge):
		status, refusal = http.StatusRequestEntityTooLarge, openid.Refusal{Code: openid.InvalidRequest, Text: "the form is too large"}
	case errors.Is(err, errBadForm):
		refusal = openid.Refusal{Code: openid.InvalidRequest, Text: "the form cannot be read"}
	case errors.As(err, &wait):
		left, _ := retryAfter(wait, rc.now)
		rc.w.Header().Set("Retry-After", strconv.Itoa(int(left/time.Second)))
		status = http.StatusTooManyRequests
		refusal = openid.Refusal{Code: openid.InvalidClient, Text: "too many wrong secrets from this address"}
	case errors.As(err, &refusal):
		if refusal.Code == openid.InvalidClient {
			status = http.StatusUnauthorized
			rc.w.Header().Set("WWW-Authenticate", `Basic realm="Gatehouse"`)
		}
	default:
		s.log.Error("fault", "request", requestID(rc.ctx()), "route", rc.r.Pattern, "error", err)
		status, refusal = http.StatusServiceUnavailable, openid.Refusal{Code: openid.TemporarilyUnavailable, Text: "try again later"}
		rc.w.Header().Set("Retry-After", strconv.Itoa(retryAfterBusy))
	}
	document, err := json.Marshal(struct {
		Code openid.Code `json:"error"`
		Text string      `json:"error_description"`
	}{refusal.Code, refusal.Text})
	if err != nil {
		s.log.Error("cannot write a refusal", "request", requestID(rc.ctx()), "error", err)
		return
	}
	_ = writeJSON(rc, status, document)
}
