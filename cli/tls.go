package cli

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"gatehouse/db/files"
	"gatehouse/handlers"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"
)

// tlsFlags are how serve speaks https by itself, without a proxy in front.
type tlsFlags struct {
	TLSDomain string `name:"tls-domain" help:"Serve https for this name, with a certificate that is obtained and renewed by ACME." env:"GATEHOUSE_TLS_DOMAIN" placeholder:"NAME"`
	TLSCert   string `name:"tls-cert" help:"Serve https with this certificate (PEM, the chain included); reloaded on SIGHUP." env:"GATEHOUSE_TLS_CERT" placeholder:"FILE"`
	TLSKey    string `name:"tls-key" help:"The certificate's private key (PEM)." env:"GATEHOUSE_TLS_KEY" placeholder:"FILE"`

	RedirectListen string `help:"Address that redirects http to https (\"none\" disables it)." default:":80" env:"GATEHOUSE_REDIRECT_LISTEN" placeholder:"HOST:PORT"`
	ACMEDirectory  string `name:"acme-directory" help:"The certificate authority's ACME directory; Let's Encrypt unless named." default:"${acme_directory}" env:"GATEHOUSE_ACME_DIRECTORY" placeholder:"URL"`
	ACMECA         string `name:"acme-ca" help:"Certificates (PEM) to trust for the ACME directory, for an authority of one's own." env:"GATEHOUSE_ACME_CA" placeholder:"FILE"`
	ACMEEmail      string `name:"acme-email" help:"Where the certificate authority may write to." env:"GATEHOUSE_ACME_EMAIL" placeholder:"EMAIL"`
}

// letsEncrypt is the ACME directory unless another is named.
const letsEncrypt = acme.LetsEncryptURL

// enabled reports whether serve speaks https by itself.
func (f tlsFlags) enabled() bool { return f.TLSDomain != "" || f.TLSCert != "" || f.TLSKey != "" }

// check refuses flags that do not go together.
func (f tlsFlags) check() error {
	_, notIP := netip.ParseAddr(f.TLSDomain)
	switch {
	case (f.TLSCert == "") != (f.TLSKey == ""):
		return usageError("--tls-cert and --tls-key go together")
	case f.TLSDomain != "" && f.TLSCert != "":
		return usageError("choose one: --tls-domain obtains a certificate, --tls-cert and --tls-key bring one")
	case f.TLSDomain != "" && (!strings.Contains(strings.Trim(f.TLSDomain, "."), ".") ||
		strings.ContainsAny(f.TLSDomain, ":/@ *") || notIP == nil):
		return usageError("--tls-domain takes a name that the Internet knows, e.g. portal.example.org")
	}
	return nil
}

// domainURL is the base URL of a server that obtains its own certificate.
func (f tlsFlags) domainURL(listen string) (*url.URL, error) {
	_, port, err := net.SplitHostPort(listen)
	if err != nil {
		return nil, usageError("--listen takes a host and a port, e.g. :443")
	}
	u, err := handlers.CanonicalBaseURL(&url.URL{Scheme: "https", Host: net.JoinHostPort(f.TLSDomain, port)})
	if err != nil {
		return nil, usageError("--tls-domain: " + err.Error())
	}
	return u, nil
}

// certificates is where serve gets its certificates.
type certificates struct {
	config      *tls.Config
	httpHandler func(http.Handler) http.Handler // answers the authority's questions on port 80
	reload      func() error                    // reloads them
	obtain      func() error                    // obtains one before the first visitor
}

// A servedCertificate is the one that browsers get; it is nil before the first.
type servedCertificate struct {
	atomic.Pointer[tls.Certificate]
}

// validity is when it ends, and how long its whole life is; zero before the first.
func (s *servedCertificate) validity() (end time.Time, life time.Duration) {
	served := s.Load()
	if served == nil || served.Leaf == nil {
		return time.Time{}, 0
	}
	return served.Leaf.NotAfter, served.Leaf.NotAfter.Sub(served.Leaf.NotBefore)
}

// certificates opens what the flags name; directory keeps what ACME obtains.
func (f tlsFlags) certificates(directory string, served *servedCertificate) (*certificates, error) {
	if f.TLSDomain != "" {
		return f.fromACME(filepath.Join(directory, files.CertificatesName), served)
	}
	return f.fromFiles(served)
}

// fromFiles serves a certificate from a file. One that cannot be reloaded leaves the
// previous one in use.
func (f tlsFlags) fromFiles(served *servedCertificate) (*certificates, error) {
	reload := func() error {
		pair, err := tls.LoadX509KeyPair(f.TLSCert, f.TLSKey)
		if err != nil {
			return fmt.Errorf("cannot use the certificate: %w", err)
		}
		served.Store(&pair)
		return nil
	}
	if err := reload(); err != nil {
		return nil, err
	}
	get := func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return served.Load(), nil }
	return &certificates{
		config:      &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: get},
		httpHandler: func(next http.Handler) http.Handler { return next },
		reload:      reload,
		obtain:      func() error { return nil },
	}, nil
}

// fromACME serves a certificate that ACME obtains and renews (RFC 8555), kept
// in a directory of its own.
func (f tlsFlags) fromACME(cache string, served *servedCertificate) (*certificates, error) {
	client := &acme.Client{DirectoryURL: f.ACMEDirectory, UserAgent: "gatehouse/" + Version}
	if f.ACMECA != "" {
		pem, err := os.ReadFile(f.ACMECA)
		if err != nil {
			return nil, fmt.Errorf("cannot read --acme-ca: %w", err)
		}
		roots := x509.NewCertPool()
		if !roots.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s holds no certificate in PEM", f.ACMECA)
		}
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots}
		client.HTTPClient = &http.Client{Transport: transport, Timeout: time.Minute}
	}
	at, err := f.domainURL(":443")
	if err != nil {
		return nil, err
	}
	domain := at.Hostname()
	m := &autocert.Manager{
		Prompt:     autocert.AcceptTOS,
		Cache:      certificateFiles(cache),
		HostPolicy: autocert.HostWhitelist(domain),
		Client:     client,
		Email:      f.ACMEEmail,
	}
	config := m.TLSConfig()
	config.MinVersion = tls.VersionTLS12
	// as today's browsers send it
	hello := &tls.ClientHelloInfo{
		ServerName:   domain,
		CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256},
	}
	config.GetCertificate = func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		found, err := m.GetCertificate(hello)
		if err == nil && !slices.Contains(hello.SupportedProtos, acme.ALPNProto) { // which asks for a proof
			served.Store(found)
		}
		return found, err
	}
	prepare := func() error {
		if _, err := config.GetCertificate(hello); err != nil {
			return fmt.Errorf("no certificate for %s yet, each visit tries again: %w", domain, err)
		}
		return nil
	}
	return &certificates{
		config:      config,
		httpHandler: m.HTTPHandler,
		obtain:      prepare,
		reload:      func() error { return nil },
	}, nil
}

// toHTTPS sends plain http on to the workspace's own name, whatever name was asked for. A
// form that was posted in the clear is refused: a redirect would hide that it could be
// read on the way.
func toHTTPS(base *url.URL) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close")
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			http.Error(w, "Use https.", http.StatusBadRequest)
			return
		}
		to := url.URL{
			Scheme:   base.Scheme,
			Host:     base.Host,
			Path:     r.URL.Path,
			RawPath:  r.URL.RawPath,
			RawQuery: r.URL.RawQuery,
		}
		http.Redirect(w, r, to.String(), http.StatusPermanentRedirect)
	})
}

// reloadOnHangUp reloads the certificates each time the signal arrives.
func reloadOnHangUp(ctx context.Context, hangUp <-chan os.Signal, reload func() error, done func(error)) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangUp:
			done(reload())
		}
	}
}

// certificateFiles is the directory that keeps what ACME obtains. Its files are
// the server's, whoever started it when they were made.
type certificateFiles string

var _ autocert.Cache = certificateFiles("")

// path is the file of an entry. No entry's name leads out of the directory.
func (d certificateFiles) path(name string) string {
	return filepath.Join(string(d), filepath.Clean("/"+name))
}

// Get reads an entry, or gives autocert.ErrCacheMiss.
func (d certificateFiles) Get(_ context.Context, name string) ([]byte, error) {
	content, err := os.ReadFile(d.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, autocert.ErrCacheMiss
	}
	return content, err
}

// Put writes an entry, all of it or nothing.
func (d certificateFiles) Put(_ context.Context, name string, content []byte) error {
	path := d.path(name)
	if err := files.MakeDir(string(d)); err != nil {
		return fmt.Errorf("making the certificates' directory: %w", err)
	}
	made, err := files.Write(path, content, path)
	if err != nil {
		return fmt.Errorf("keeping a certificate: %w", err)
	}
	if err := files.Replace(made, path); err != nil {
		return errors.Join(fmt.Errorf("keeping a certificate: %w", err), os.Remove(made))
	}
	return nil
}

// Delete removes an entry; it is not an error if it is missing.
func (d certificateFiles) Delete(_ context.Context, name string) error {
	if err := os.Remove(d.path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing a certificate: %w", err)
	}
	return nil
}
