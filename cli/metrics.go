package cli

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"gatehouse/account"
	"gatehouse/db"
	"gatehouse/doctor"

	"github.com/VictoriaMetrics/metrics"
)

// A monitor counts what /metrics tells, in Prometheus' text format. It names
// routes by their pattern, never by an address, and nobody by name.
type monitor struct {
	set   *metrics.Set
	store *db.Store
	log   *slog.Logger
	now   func() time.Time

	certificate func() (end time.Time, life time.Duration)

	mu sync.Mutex // one scrape at a time
}

// newMonitor counts from now on.
func newMonitor(store *db.Store, log *slog.Logger, certificate func() (end time.Time, life time.Duration),
	now func() time.Time) *monitor {
	m := &monitor{set: metrics.NewSet(), store: store, log: log, certificate: certificate, now: now}
	m.set.GetOrCreateCounter(appsOpened) // Prometheus does not see a first event that nothing came before
	m.set.GetOrCreateCounter(appsRefused)
	return m
}

// Openings of apps by how they ended.
const (
	appsOpened  = `gatehouse_apps_opened_total{result="opened"}`
	appsRefused = `gatehouse_apps_opened_total{result="refused"}`
)

// observe counts one request.
func (m *monitor) observe(route string, status int, elapsed time.Duration) {
	if route == "" {
		route = "none" // refused before a route was looked for
	}
	m.set.GetOrCreateCounter(fmt.Sprintf(`gatehouse_requests_total{route=%q,status="%d"}`, route, status)).Inc()
	m.set.GetOrCreatePrometheusHistogram(fmt.Sprintf(`gatehouse_request_seconds{route=%q}`, route)).
		Update(elapsed.Seconds())
}

// ServeHTTP answers GET /metrics.
func (m *monitor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.read(r.Context()); err != nil {
		m.log.Error("cannot read metrics", "error", err)
		http.Error(w, "the database does not answer", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	m.set.WritePrometheus(w)
	metrics.WriteProcessMetrics(w)
}

// read updates the figures that come from the store. Sign-ins are this process's own, and
// one whose transaction was rolled back is not counted.
func (m *monitor) read(ctx context.Context) error {
	for _, count := range m.store.TakeSignIns() {
		name := fmt.Sprintf(`gatehouse_sign_ins_total{method=%q,result=%q}`, count.Method, signInResult(count.Event))
		switch count.Event {
		case account.AppOpened:
			name = appsOpened
		case account.AppRefused:
			name = appsRefused
		}
		m.set.GetOrCreateCounter(name).Add(count.Count)
	}
	if err := m.readInstallation(ctx); err != nil {
		return err
	}
	f, err := m.store.Metrics(ctx)
	if err != nil {
		return err
	}
	for name, value := range map[string]float64{
		"gatehouse_people":                                     float64(f.People),
		"gatehouse_people_enrolled":                            float64(f.Enrolled),
		"gatehouse_hashes_running":                             float64(f.HashesRunning),
		"gatehouse_hashes_waiting":                             float64(f.HashesWaiting),
		"gatehouse_hashes_refused_total":                       float64(f.HashesRefused),
		`gatehouse_database_waits_total{for="writing"}`:        float64(f.WriteWaits),
		`gatehouse_database_waits_total{for="reading"}`:        float64(f.ReadWaits),
		`gatehouse_database_wait_seconds_total{for="reading"}`: f.ReadWaited.Seconds(),
		fmt.Sprintf("gatehouse_info{version=%q}", Version):     1,
	} {
		m.set.GetOrCreateGauge(name, nil).Set(value)
	}
	return nil
}

// readInstallation updates what the overview tells of how the workspace is run. An instant is
// 0 where there was none.
func (m *monitor) readInstallation(ctx context.Context) error {
	facts, err := m.store.DoctorFacts(ctx, m.now())
	if err != nil {
		return err
	}
	facts.CertificateEnd, facts.CertificateAge = m.certificate()
	levels := map[doctor.Level]int{doctor.Warning: 0, doctor.Fault: 0}
	for _, f := range doctor.Examine(facts, m.now()) {
		if f.Level != doctor.OK {
			levels[f.Level]++
		}
	}
	instant := func(at time.Time) float64 {
		if at.IsZero() {
			return 0
		}
		return float64(at.Unix())
	}
	for name, value := range map[string]float64{
		"gatehouse_backup_timestamp_seconds":          instant(facts.BackedUpAt),
		"gatehouse_certificate_end_timestamp_seconds": instant(facts.CertificateEnd),
		"gatehouse_mails_waiting":                     float64(facts.MailsWaiting),
		"gatehouse_mails_failing":                     float64(facts.MailsFailing),
		`gatehouse_findings{level="warning"}`:         float64(levels[doctor.Warning]),
		`gatehouse_findings{level="fault"}`:           float64(levels[doctor.Fault]),
	} {
		m.set.GetOrCreateGauge(name, nil).Set(value)
	}
	return nil
}

// signInResult describes an event as a monitor counts it.
func signInResult(e account.Event) string {
	switch e {
	case account.SignedIn:
		return "success"
	case account.SignInFailedMax:
		return "closed"
	}
	return "fail"
}
