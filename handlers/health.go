package handlers

import (
	"errors"
	"io"
	"net/http"

	"gatehouse/db"
)

// showHealth answers machines: 200 "ok" while the database answers.
func (s *Server) showHealth(v *visit) error {
	v.w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if err := s.store.Ping(v.ctx(), v.now); err != nil || s.stopping.Load() {
		if err != nil && !errors.Is(err, db.ErrNotTried) && !isClientGone(v.r, err) { // each fault once
			s.log.Error("health", "request", requestID(v.ctx()), "error", err)
		}
		v.w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(v.w, "unavailable\n")
		return nil
	}
	_, _ = io.WriteString(v.w, "ok\n")
	return nil
}
