package cli

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"

	"gatehouse/db"
	"gatehouse/doctor"
	"gatehouse/handlers"
	"gatehouse/views"
)

// askTimeout is how long the way to the workspace may take to answer.
const askTimeout = 10 * time.Second

// forged is an address of nobody's (RFC 5737) that the question claims to come from: a proxy that
// hands it on would let anybody do so.
const forged = "192.0.2.77"

// A sight is what came back from a question.
type sight struct {
	status   int
	location string // where a redirect leads
	body     string
	sighting *handlers.Sighting // nil unless this workspace has answered
	took     time.Duration
	ahead    time.Duration // of this machine's clock, to the second
	local    netip.Addr    // from where it was asked
	chain    []*x509.Certificate
}

// ask asks /healthz as browsers ask for pages. With a store it asks what the server has seen of it.
func (x *examination) ask(client *http.Client, address string, store *db.Store) (seen sight, err error) {
	ctx, cancel := context.WithTimeout(x.ctx, askTimeout)
	defer cancel()
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) {
		at, err := netip.ParseAddrPort(info.Conn.LocalAddr().String())
		if err == nil {
			seen.local = at.Addr().Unmap()
		}
	}})
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return seen, err
	}
	proof := ""
	if store != nil {
		var question string
		question, proof = handlers.NewQuestion(store, x.now())
		request.Header.Set(handlers.DoctorHeader, question)
	}
	request.Header.Set("X-Forwarded-For", forged)
	begun := x.now()
	answer, err := client.Do(request)
	if err != nil {
		return seen, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, 16<<10))
	if err != nil {
		return seen, err
	}
	seen.took = x.now().Sub(begun)
	seen.status, seen.location, seen.body = answer.StatusCode, answer.Header.Get("Location"), strings.TrimSpace(string(body))
	if at, err := http.ParseTime(answer.Header.Get("Date")); err == nil {
		seen.ahead = begun.Add(seen.took / 2).Sub(at.Add(500 * time.Millisecond)) // the header's second has no parts
	}
	if answer.TLS != nil {
		seen.chain = answer.TLS.PeerCertificates
	}
	var found handlers.Sighting
	if json.Unmarshal(body, &found) == nil && proof != "" && db.EqualMAC(found.Proof, proof) {
		seen.sighting = &found
	}
	return seen, nil
}

// newClient asks without following, and without what is kept from before.
func newClient(certificates *tls.Config) *http.Client {
	return &http.Client{
		Transport:     &http.Transport{TLSClientConfig: certificates, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// way looks at the workspace as browsers see it, and at what proxies make of that.
func (x *examination) way(store *db.Store, base string) sight {
	if base == "" {
		return x.server(store)
	}
	certificates, err := x.trusted()
	if err != nil {
		x.fault(checkReach, upperFirst(x.withAdvice(err))+".", "Put it right, and ask again.")
		return sight{}
	}
	seen, err := x.ask(newClient(certificates), base+"/healthz", store)
	if err != nil {
		check, text, advice := unreached(base, err)
		x.fault(check, text, advice)
		return x.server(store)
	}
	x.certificate(seen.chain)
	s := seen.sighting
	switch {
	case s != nil && !s.Well:
		x.fault(checkServer, "It answers, and is not well"+because(s.Cause)+".", lookAtLog)
	case s != nil || store == nil && seen.status == http.StatusOK && seen.body == "ok":
		x.well(checkReach, "%s answers in %s.", base, seen.took.Round(time.Millisecond))
	case seen.status == http.StatusServiceUnavailable && strings.HasPrefix(seen.body, "unavailable"):
		x.fault(checkServer, "It answers, and is not well"+because(strings.TrimPrefix(strings.TrimPrefix(seen.body, "unavailable"), ": "))+".", lookAtLog)
	case seen.status == http.StatusOK && seen.body == "ok":
		x.fault(checkReach, base+" is answered by another workspace, or by an older version.",
			"Let its DNS entry and its proxy lead to this one; restart the service after an upgrade.")
	case seen.location != "":
		x.fault(checkReach, base+" leads on to "+views.TerminalText(errors.New(seen.location))+".", "Set --base-url to where people end up, or take the redirect away.")
	case seen.status >= http.StatusInternalServerError:
		x.fault(checkReach, fmt.Sprintf("%s answers %d: its proxy reaches no server.", base, seen.status),
			"Let the proxy hand on to where the server listens.")
		return x.server(store)
	default:
		x.fault(checkReach, fmt.Sprintf("Something else answers at %s: %d.", base, seen.status),
			"Let the proxy hand every path of this name on to Gatehouse, /healthz too.")
		return x.server(store)
	}
	if s != nil {
		x.proxy(base, seen)
	}
	return seen
}

// lookAtLog is what to do about a server that is not well.
const lookAtLog = "The log says why: journalctl -u gatehouse -n 20. A full disk or a database that is away: it goes on by itself afterwards."

func because(cause string) string {
	if cause == "" {
		return ""
	}
	return ": " + cause
}

// trusted are the authorities of this machine, and the one that was named.
func (x *examination) trusted() (*tls.Config, error) {
	certificates := &tls.Config{MinVersion: tls.VersionTLS12}
	if x.flags.ACMECA == "" {
		return certificates, nil
	}
	pem, err := os.ReadFile(x.flags.ACMECA)
	if err != nil {
		return nil, fmt.Errorf("cannot read --acme-ca: %w", err)
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate in PEM", x.flags.ACMECA)
	}
	certificates.RootCAs = roots
	return certificates, nil
}

// unreached says why browsers do not reach the workspace.
func unreached(base string, err error) (check doctor.Check, seen, advice string) {
	var inner *url.Error
	if errors.As(err, &inner) {
		err = inner.Err
	}
	var name *net.DNSError
	var authority x509.UnknownAuthorityError
	var other x509.HostnameError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &name):
		return checkReach, fmt.Sprintf("The name %s is not known.", hostOf(base)),
			"Let a DNS entry (A, AAAA) lead to this machine, or to the proxy before it."
	case errors.As(err, &authority):
		return checkCertificate, base + " has a certificate of an authority that this machine does not know.",
			"Serve the whole chain (fullchain.pem). An authority of your own: name its certificate with --acme-ca."
	case errors.As(err, &other):
		return checkCertificate, fmt.Sprintf("The certificate at %s is for another name (%s).", base,
				strings.Join(other.Certificate.DNSNames, ", ")),
			"Get one for " + hostOf(base) + ", or let the name lead to the right server."
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		f := doctor.Finding{Check: doctor.Certificate, Level: doctor.Fault, Reason: doctor.Ended}
		seen, advice = views.FindingText(f)
		return checkCertificate, seen, advice
	case errors.Is(err, context.DeadlineExceeded):
		return checkReach, fmt.Sprintf("%s does not answer within %s.", base, askTimeout),
			"Look at the firewall, and at where its DNS entry leads."
	case errors.Is(err, syscall.ECONNREFUSED):
		return checkReach, fmt.Sprintf("Nothing listens at %s.", base), "Start the proxy, or the service; look at the firewall."
	}
	return checkReach, fmt.Sprintf("%s does not answer: %s.", base, strings.TrimSuffix(views.TerminalText(err), ".")),
		"Look at the proxy, and at its certificate."
}

// certificate looks at how long the certificate is good.
func (x *examination) certificate(chain []*x509.Certificate) {
	if len(chain) == 0 {
		return
	}
	f := doctor.ExamineCertificate(chain[0].NotAfter, chain[0].NotAfter.Sub(chain[0].NotBefore), x.now())
	seen, advice := views.FindingText(f)
	x.all = append(x.all, diagnosis{f.Check, f.Level, seen, advice})
}

// proxy looks at what a request looks like when it has come.
func (x *examination) proxy(base string, seen sight) {
	s := seen.sighting
	said := strings.Split(s.ForwardedFor, ",")
	nearest := strings.TrimSpace(said[len(said)-1])
	isDirect := s.TLS || strings.HasPrefix(base, "http://") && s.Peer == seen.local.String() && s.ForwardedFor == forged
	switch {
	case !s.HostAccepted:
		x.fault(checkProxy, fmt.Sprintf("Requests to %s come with the name %s: every page says that it is the wrong address.", base, s.Host),
			"Let the proxy hand on the browser's Host header, or set --base-url to that name.")
	case strings.HasPrefix(base, "https://") && s.Scheme != "https":
		x.fault(checkProxy, fmt.Sprintf("Requests to %s count as plain %s: pages lead round and round, and forms are refused.", base, s.Scheme),
			"Let the proxy set X-Forwarded-Proto to https, and name it with --trusted-proxy "+orUnknown(s.Peer)+".")
	case isDirect:
		x.well(checkProxy, "There is none: the server itself answers.")
	case !s.Trusted:
		x.warn(checkProxy, fmt.Sprintf("The proxy %s is not trusted: everybody counts as that one address, and waits for each other's wrong passwords.", s.Peer),
			"Set --trusted-proxy "+s.Peer+" (GATEHOUSE_TRUSTED_PROXY), and restart the service.")
	case nearest == "":
		x.warn(checkProxy, "The proxy does not say for whom it asks: everybody counts as one address.",
			"Let it set X-Forwarded-For to the visitor's address; docs/proxy has whole configurations.")
	case nearest == forged:
		x.fault(checkProxy, "The proxy hands on the X-Forwarded-For of browsers as it is: anybody can pretend to be at any address.",
			"Let it add the visitor's address, or set it anew; docs/proxy has whole configurations.")
	default:
		x.well(checkProxy, "It hands on name, scheme and the visitor's address (%s).", s.Client)
	}
	x.redirect(base)
}

func orUnknown(address string) string { return cmp.Or(address, "ADDRESS") }

// redirect looks whether plain http leads to https, where both have their usual ports.
func (x *examination) redirect(base string) {
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "https" || u.Port() != "" {
		return
	}
	plain, err := x.ask(newClient(nil), "http://"+u.Host+"/", nil)
	if err == nil && plain.status == http.StatusOK {
		x.warn(checkProxy, fmt.Sprintf("http://%s answers, and does not lead to https.", u.Host), "Let the proxy redirect http to https.")
	}
}

// server looks for the server on this machine, where it cannot be reached from outside or has no
// base URL.
func (x *examination) server(store *db.Store) sight {
	h := healthCommand{Listen: x.flags.Listen, TLSDomain: x.flags.TLSDomain, TLSCert: x.flags.TLSCert}
	address, err := h.address()
	if err != nil {
		x.fault(checkServer, upperFirst(err.Error())+".", "Name where the server listens with --listen.")
		return sight{}
	}
	to, err := url.Parse(address)
	if err != nil {
		return sight{}
	}
	client := newClient(h.tlsConfig(to))
	if socket, isUnix := h.socket(); isUnix {
		client.Transport = &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		}}
		address = h.Listen
	}
	seen, err := x.ask(client, to.String(), store)
	isOurs := seen.sighting != nil || store == nil && strings.HasPrefix(seen.body, "ok")
	switch {
	case err == nil && isOurs && (seen.sighting == nil || seen.sighting.Well):
		x.well(checkServer, "It answers at %s.", strings.TrimSuffix(address, "/healthz"))
	case err == nil && isOurs:
		x.fault(checkServer, "It answers, and is not well"+because(seen.sighting.Cause)+".", lookAtLog)
	case x.isHeld(store):
		x.well(checkServer, "One runs. Where it listens is not known here; name that with --listen.")
	default:
		x.fault(checkServer, "No server runs.", "systemctl start gatehouse; if it stops again: journalctl -u gatehouse -n 20.")
	}
	return seen
}

// isHeld reports whether a server runs, wherever it listens.
func (x *examination) isHeld(store *db.Store) bool {
	if store == nil {
		return false
	}
	if store.IsShared() {
		facts, err := store.DoctorFacts(x.ctx, x.now())
		return err == nil && len(facts.Nodes) > 0
	}
	held, err := x.isServed()
	return err == nil && held
}
