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

// A door is an address that is listened on, and who answers there.
type door struct {
	web      *http.Server
	listener net.Listener
}

// openDoor listens on an address. With certificates it speaks TLS.
func openDoor(address string, answer http.Handler, certificates *tls.Config, log *slog.Logger) (*door, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, listenError(address, err)
	}
	return &door{listener: listener, web: &http.Server{
		Handler:           answer,
		TLSConfig:         certificates,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
	}}, nil
}

// serve answers until the door is closed.
func (d *door) serve() error {
	if d.web.TLSConfig != nil {
		return d.web.ServeTLS(d.listener, "", "")
	}
	return d.web.Serve(d.listener)
}

// doors are every address of one server; the first is the workspace's own.
type doors []*door

// serve answers at every door until the context ends, or gives what stopped one.
func (all doors) serve(ctx context.Context) error {
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

// close lets nobody in any more, finishes what is open, and cuts off what takes
// longer than drainTime.
func (all doors) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	var cut error
	for _, d := range all {
		if err := d.web.Shutdown(ctx); err != nil {
			cut = errors.Join(cut, err, d.web.Close())
		}
		_ = d.listener.Close() // one that never served
	}
	return cut
}
