package handlers

import (
	"errors"
	"io"
	"net/http"

	"gatehouse/db"
)

// showHealth answers machines: 200 "ok" while the database answers.
func (s *Server) showHealth(rc *requestContext) error {
	err := s.store.Ping(rc.ctx(), rc.now)
	if asked, ok := s.askedByDoctor(rc.r); ok {
		return s.showSighting(rc, asked, err)
	}
	rc.w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if err != nil || s.stopping.Load() {
		if err != nil && !errors.Is(err, db.ErrNotTried) && !isClientGone(rc.r, err) { // each fault once
			s.log.Error("health check failed", "request", requestID(rc.ctx()), "error", err)
		}
		rc.w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(rc.w, "unavailable"+unfitCause(err)+"\n")
		return nil
	}
	_, _ = io.WriteString(rc.w, "ok\n")
	return nil
}

// unfitCause names what keeps this node alone from serving, for whoever looks after it.
func unfitCause(err error) string {
	var unfit *db.UnfitError
	if !errors.As(err, &unfit) {
		return ""
	}
	return ": " + unfit.Cause
}
