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

	"github.com/VictoriaMetrics/metrics"
)

// A monitor counts what /metrics tells, in Prometheus' text format. It names
// routes by their pattern, never by an address, and nobody by name.
type monitor struct {
	set   *metrics.Set
	store *db.Store
	log   *slog.Logger

	mu sync.Mutex // one scrape at a time
}

// newMonitor counts from now on.
func newMonitor(store *db.Store, log *slog.Logger) *monitor {
	return &monitor{set: metrics.NewSet(), store: store, log: log}
}

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
		m.set.GetOrCreateCounter(fmt.Sprintf(`gatehouse_sign_ins_total{method=%q,result=%q}`, count.Method,
			signInResult(count.Event))).Add(count.Count)
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
