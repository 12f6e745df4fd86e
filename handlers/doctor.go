package handlers

import (
	"context"
	"time"

	"gatehouse/doctor"
)

// findings are what the server knows by itself of how it is run: gatehouse doctor looks at the
// machine, and at the way to it, too.
func (s *Server) findings(ctx context.Context, now time.Time) ([]doctor.Finding, error) {
	facts, err := s.store.DoctorFacts(ctx, now)
	if err != nil {
		return nil, err
	}
	facts.TrustedProxies = s.proxies
	if s.certificate != nil {
		facts.CertificateEnd, facts.CertificateAge = s.certificate()
	}
	return doctor.Examine(facts, now), nil
}
