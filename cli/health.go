package cli

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

type healthCommand struct {
	URL    string `name:"url" help:"The server's address, or unix:/PATH; the one that serve listens on here unless named." env:"GATEHOUSE_HEALTH_URL" placeholder:"URL"`
	Listen string `help:"What serve was told to listen on." env:"GATEHOUSE_LISTEN" placeholder:"HOST:PORT"`

	TLSDomain string `name:"tls-domain" help:"As for serve." env:"GATEHOUSE_TLS_DOMAIN" placeholder:"NAME"`
	TLSCert   string `name:"tls-cert" help:"As for serve." env:"GATEHOUSE_TLS_CERT" placeholder:"FILE"`
}

// healthTimeout is how long a server may take to answer.
const healthTimeout = 5 * time.Second

// elsewhere is what to do when the server is not where it is looked for: what serve was
// told by flags is not known here.
const elsewhere = "if it listens elsewhere, or serves https, name its address with --url or GATEHOUSE_HEALTH_URL"

// Run asks a server whether it is well: exit 0 when it is, 1 when it is not. It is
// for images that have neither a shell nor curl.
func (c *healthCommand) Run(env *commandEnv) error {
	address, err := c.address()
	if err != nil {
		return err
	}
	socket, isUnix := c.socket()
	ctx, cancel := context.WithTimeout(env.ctx, healthTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return usageError("--url takes an address, e.g. http://127.0.0.1:8080")
	}
	transport := &http.Transport{TLSClientConfig: c.tlsConfig(request.URL), DisableKeepAlives: true}
	if isUnix {
		address = unixPrefix + socket
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		}
	}
	client := &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	answer, err := client.Do(request)
	if err != nil {
		var inner *url.Error
		if errors.As(err, &inner) {
			err = inner.Err
		}
		if errors.Is(err, context.DeadlineExceeded) {
			return fmt.Errorf("the server at %s does not answer within %s", address, healthTimeout)
		}
		return fmt.Errorf("no server answers at %s (%w); %s", address, err, elsewhere)
	}
	defer answer.Body.Close()
	if answer.StatusCode == http.StatusBadRequest {
		return fmt.Errorf("the server at %s answers %s; %s", address, answer.Status, elsewhere)
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("the server at %s is not well: it answers %s", address, answer.Status)
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, 64))
	if err != nil {
		return fmt.Errorf("the server at %s stops in the middle of its answer: %w", address, err)
	}
	if strings.TrimSpace(string(body)) != "ok" {
		return fmt.Errorf("something else than Gatehouse answers at %s; %s", address, elsewhere)
	}
	fmt.Fprintln(env.Stdout, "ok")
	return nil
}

// socket is the path of the unix socket on which the server listens, if it does.
func (c *healthCommand) socket() (path string, isUnix bool) {
	return unixPath(cmp.Or(c.URL, c.Listen))
}

// address is where /healthz is.
func (c *healthCommand) address() (string, error) {
	if _, isUnix := c.socket(); isUnix {
		return "http://localhost/healthz", nil
	}
	if c.URL != "" {
		u, err := url.Parse(c.URL)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return "", usageError("--url takes an address, e.g. http://127.0.0.1:8080")
		}
		if u.Path == "" || u.Path == "/" {
			u.Path = "/healthz"
		}
		return u.String(), nil
	}
	at, scheme := listenAddress(c.Listen, c.isTLS()), "http"
	if c.isTLS() {
		scheme = "https"
	}
	host, port, err := net.SplitHostPort(at)
	if err != nil {
		return "", usageError("--listen takes a host and a port, e.g. 127.0.0.1:8080")
	}
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return (&url.URL{Scheme: scheme, Host: net.JoinHostPort(host, port), Path: "/healthz"}).String(), nil
}

func (c *healthCommand) isTLS() bool { return c.TLSDomain != "" || c.TLSCert != "" }

// tlsConfig asks for the certificate of the workspace's name. On this machine its
// name does not matter, and nothing secret is sent: it is not checked.
func (c *healthCommand) tlsConfig(to *url.URL) *tls.Config {
	if c.URL != "" && !isLoopback(to.Hostname()) {
		return nil
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, ServerName: c.TLSDomain, InsecureSkipVerify: true}
}
