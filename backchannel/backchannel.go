// Package backchannel calls apps to tell them of sign-outs (OpenID Connect Back-Channel
// Logout 1.0). It is the one place where the program opens a connection to an address that
// somebody has typed, so it is careful where that leads.
package backchannel

import (
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
	"syscall"
	"time"
)

// Timeout is how long an app may take to answer, connecting included.
const Timeout = 5 * time.Second

// maxAnswer is how much of an answer is read, in bytes. Nothing in it is used.
const maxAnswer = 4 << 10

// The reasons why an app is not called, or was called in vain.
var (
	errHost    = errors.New("the address is not on the app's host")
	errNetwork = errors.New("the app's host leads to an address that no app has")
	errAnswer  = errors.New("the app did not take it")
)

// A Caller tells apps. It follows no redirect, uses no proxy and keeps no connection.
type Caller struct {
	client *http.Client
}

// New returns a caller that waits as long for an answer.
func New(timeout time.Duration) *Caller {
	dialer := &net.Dialer{Timeout: timeout, Control: refuseForeign}
	return &Caller{client: &http.Client{
		Timeout: timeout,
		Transport: &http.Transport{
			DialContext:       dialer.DialContext,
			TLSClientConfig:   &tls.Config{MinVersion: tls.VersionTLS12},
			DisableKeepAlives: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// refuseForeign looks at where a name leads, just before the connection is made: to the
// addresses of a link, where clouds keep what their machines may know (169.254.169.254),
// and to many at once it is not made, whatever the name's server says now.
func refuseForeign(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%w: %w", errNetwork, err)
	}
	ip := at.Addr().Unmap()
	if ip.IsLinkLocalUnicast() || ip.IsMulticast() || ip.IsUnspecified() || !ip.IsValid() {
		return errNetwork
	}
	return nil
}

// Tell posts a logout token to an app's address, which is on the app's own host. It returns
// an error unless the app has taken it.
func (c *Caller) Tell(ctx context.Context, address, host, token string) error {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || !strings.EqualFold(u.Hostname(), host) || u.User != nil {
		return errHost
	}
	form := strings.NewReader(url.Values{"logout_token": {token}}.Encode())
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, form)
	if err != nil {
		return fmt.Errorf("calling an app: %w", err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("User-Agent", "Gatehouse")
	answer, err := c.client.Do(request)
	if err != nil {
		return fmt.Errorf("calling an app: %w", err)
	}
	defer answer.Body.Close()
	_, _ = io.CopyN(io.Discard, answer.Body, maxAnswer) // politeness: its answer says nothing more
	if answer.StatusCode != http.StatusOK && answer.StatusCode != http.StatusNoContent {
		return fmt.Errorf("%w: status %d", errAnswer, answer.StatusCode)
	}
	return nil
}
