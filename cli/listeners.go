package cli

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// An httpListener is an address that is listened on, and who answers there.
type httpListener struct {
	server   *http.Server
	listener net.Listener
}

// listen listens on an address. With certificates it speaks TLS.
func listen(address string, answer http.Handler, certificates *tls.Config, log *slog.Logger) (*httpListener, error) {
	listener, err := openListener(address)
	if err != nil {
		return nil, err
	}
	return newHTTPListener(listener, answer, certificates, log), nil
}

// openListener listens on a host and a port, or on a unix socket.
func openListener(address string) (net.Listener, error) {
	if path, isUnix := unixPath(address); isUnix {
		return listenUnix(path)
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, listenError(address, err)
	}
	return listener, nil
}

// newHTTPListener answers on a listener.
func newHTTPListener(listener net.Listener, answer http.Handler, certificates *tls.Config, log *slog.Logger) *httpListener {
	return &httpListener{listener: listener, server: &http.Server{
		Handler:           answer,
		TLSConfig:         certificates,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
	}}
}

// serve answers until the listener is closed.
func (d *httpListener) serve() error {
	if d.server.TLSConfig != nil {
		return d.server.ServeTLS(d.listener, "", "")
	}
	return d.server.Serve(d.listener)
}

// httpListeners are every address of one server; the first is the workspace's own.
type httpListeners []*httpListener

// serve answers on every listener until the context ends, or returns what stopped one.
func (all httpListeners) serve(ctx context.Context) error {
	served := make(chan error, len(all))
	for _, d := range all {
		go func() { served <- d.serve() }()
	}
	select {
	case err := <-served:
		return fmt.Errorf("serving: %w", err)
	case <-ctx.Done():
		return nil
	}
}

// close accepts no new connections, finishes open requests, and cuts off those that take
// longer than drainTimeout.
func (all httpListeners) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), drainTimeout)
	defer cancel()
	var cut error
	for _, d := range all {
		if err := d.server.Shutdown(ctx); err != nil {
			cut = errors.Join(cut, err, d.server.Close())
		}
		_ = d.listener.Close() // one that never served
	}
	return cut
}
