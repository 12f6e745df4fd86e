package handlers

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"gatehouse/db"
)

// DoctorHeader is the header by which gatehouse doctor asks /healthz what a request looks like when
// it has come through the proxies. Only whoever has the workspace's key and database can make its value.
const DoctorHeader = "Gatehouse-Doctor"

// doctorTTL is for how long a question is answered; clocks may differ a little.
const doctorTTL = time.Minute

// A Sighting is what the server saw of the question, how it takes that, and what it was told
// itself about the way to it.
type Sighting struct {
	Proof string `json:"proof"` // that the same workspace answers

	Well           bool      `json:"well"`
	Cause          string    `json:"cause,omitempty"` // why not: of a node that may not serve
	Now            time.Time `json:"now"`
	BaseURL        string    `json:"base_url"`
	TrustedProxies []string  `json:"trusted_proxies"`

	Host         string `json:"host"`
	HostAccepted bool   `json:"host_accepted"`
	Scheme       string `json:"scheme"` // how the request counts: https, http, or proxy for one that is not trusted
	TLS          bool   `json:"tls"`    // this server speaks https itself
	Peer         string `json:"peer"`   // the connection's other end; "" on a unix socket
	Trusted      bool   `json:"trusted"`
	Client       string `json:"client"` // the address that counts as the visitor's
	ForwardedFor string `json:"forwarded_for"`
	Proto        string `json:"forwarded_proto"`
}

// NewQuestion is a value of DoctorHeader, and the proof that an answer to it carries.
func NewQuestion(store *db.Store, now time.Time) (question, proof string) {
	text := strconv.FormatInt(now.Unix(), 10) + "." + db.NewMessageID()
	question = text + "." + store.MAC("doctor", text)
	return question, store.MAC("doctor-answer", question)
}

// askedByDoctor returns the question that a request carries, if it is one that only gatehouse
// doctor can have asked, just now.
func (s *Server) askedByDoctor(r *http.Request) (question string, ok bool) {
	question = r.Header.Get(DoctorHeader)
	end := strings.LastIndexByte(question, '.')
	if end < 0 || r.URL.Path != "/healthz" || !db.EqualMAC(question[end+1:], s.store.MAC("doctor", question[:end])) {
		return "", false
	}
	text, _, _ := strings.Cut(question, ".")
	at, err := strconv.ParseInt(text, 10, 64)
	return question, err == nil && s.now().Sub(time.Unix(at, 0)).Abs() <= doctorTTL
}

// showSighting answers gatehouse doctor.
func (s *Server) showSighting(rc *requestContext, question string, health error) error {
	peer := s.peer(rc.r)
	seen := Sighting{
		Proof:          s.store.MAC("doctor-answer", question),
		Well:           health == nil && !s.stopping.Load(),
		Cause:          strings.TrimPrefix(unfitCause(health), ": "),
		Now:            rc.now.UTC(),
		TrustedProxies: []string{},
		Host:           rc.r.Host,
		HostAccepted:   s.hosts.accepts(rc.r.Host),
		Scheme:         s.schemeOf(rc.r).String(),
		TLS:            rc.r.TLS != nil,
		Peer:           peer.text(),
		Trusted:        peer.isTrusted,
		Client:         s.clientAddress(rc.r),
		ForwardedFor:   strings.Join(rc.r.Header.Values("X-Forwarded-For"), ", "),
		Proto:          strings.Join(rc.r.Header.Values("X-Forwarded-Proto"), ", "),
	}
	if s.base != nil {
		seen.BaseURL = s.base.String()
	}
	for _, network := range s.proxies {
		seen.TrustedProxies = append(seen.TrustedProxies, network.String())
	}
	rc.w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(rc.w).Encode(seen)
}
