package engine

import (
	"context"
	"crypto/tls"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// parseURL reads where a database is. Nothing of it is told in an error: it may hold a
// password.
func parseURL(url string, insecure bool) (*pgx.ConnConfig, error) {
	if !IsPostgresURL(url) {
		return nil, errors.New("the database's address must begin with postgres://, as in postgres://gatehouse@db.example.org/gatehouse?sslmode=verify-full")
	}
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, errors.New("the database's address cannot be read; write it as in postgres://gatehouse@db.example.org/gatehouse?sslmode=verify-full, and a special sign in the password as %40 for @")
	}
	hosts := map[string]*tls.Config{config.Host: config.TLSConfig}
	for _, other := range config.Fallbacks {
		if before, ok := hosts[other.Host]; !ok || before != nil {
			hosts[other.Host] = other.TLSConfig
		}
	}
	for host, proof := range hosts {
		if !insecure && !isOnThisMachine(host) && (proof == nil || proof.InsecureSkipVerify) {
			return nil, fmt.Errorf("the connection to the database on %s is not proved; add sslmode=verify-full to its address, or say --insecure-database where nobody else is on the network", host)
		}
	}
	if !strings.Contains(url, "connect_timeout=") {
		config.ConnectTimeout = patience
	}
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "gatehouse"
	}
	dialer := net.Dialer{KeepAliveConfig: net.KeepAliveConfig{
		Enable:   true, // so that a server that has vanished is noticed
		Idle:     5 * time.Second,
		Interval: 5 * time.Second,
		Count:    3,
	}}
	config.DialFunc = dialer.DialContext
	return config, nil
}

// IsPostgresURL reports whether an address is that of a PostgreSQL database.
func IsPostgresURL(url string) bool {
	return strings.HasPrefix(url, "postgres://") || strings.HasPrefix(url, "postgresql://")
}

// isOnThisMachine reports whether a host is this machine: a socket's directory, or a
// loopback address.
func isOnThisMachine(host string) bool {
	if strings.HasPrefix(host, "/") || strings.HasPrefix(host, "@") || host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

// A server is what a server tells of itself.
type server struct {
	version            string
	number             int
	encoding           string
	standby, readOnly  bool
	fsync, synchronous string
}

// oldestPostgres is the oldest release that is taken.
const oldestPostgres = 14

// refuse says why a server cannot keep a workspace; nil if it can.
func (s server) refuse(volatile bool) error {
	switch {
	case strings.Contains(s.version, "CockroachDB"):
		return errors.New("the database is CockroachDB, whose locks are not those of PostgreSQL; use PostgreSQL 14 or later")
	case strings.Contains(s.version, "-YB-") || strings.Contains(s.version, "Yugabyte"):
		return errors.New("the database is YugabyteDB, whose locks are not those of PostgreSQL; use PostgreSQL 14 or later")
	case s.number < oldestPostgres*10000:
		return fmt.Errorf("the database is PostgreSQL %d; use PostgreSQL 14 or later", s.number/10000)
	case s.standby:
		return errors.New("the database server is a standby, which takes no writes; name the primary, or several hosts with target_session_attrs=read-write")
	case s.readOnly:
		return errors.New("the database takes no writes (default_transaction_read_only is on); turn that off for Gatehouse's role")
	case s.encoding != "UTF8":
		return fmt.Errorf("the database's encoding is %s; make one with: CREATE DATABASE gatehouse ENCODING 'UTF8' TEMPLATE template0", s.encoding)
	case s.fsync != "on" && !volatile:
		return errors.New("the database server runs with fsync off, and would lose what it has confirmed; turn it on in postgresql.conf")
	case s.synchronous == "off" && !volatile:
		return errors.New("the database server runs with synchronous_commit off, and would lose what it has confirmed; turn it on")
	}
	return nil
}

// checkServer waits for a server, and refuses one that cannot keep a workspace.
func checkServer(ctx context.Context, pool *sql.DB, o PostgresOptions) error {
	s, err := describeServer(ctx, pool)
	for end := time.Now().Add(o.Wait); err != nil && isUnreachable(err) && time.Now().Before(end); {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(250 * time.Millisecond):
		}
		s, err = describeServer(ctx, pool)
	}
	if err != nil {
		return explainConnecting(err)
	}
	return s.refuse(o.Volatile)
}

// describeServer asks a server what it is.
func describeServer(ctx context.Context, pool *sql.DB) (s server, err error) {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	if err := pool.QueryRowContext(ctx, `SELECT version()`).Scan(&s.version); err != nil {
		return s, err
	}
	if s.refuse(true) != nil && !strings.HasPrefix(s.version, "PostgreSQL ") {
		return s, nil // it may not know the rest
	}
	err = pool.QueryRowContext(ctx, `SELECT current_setting('server_version_num')::int4, pg_is_in_recovery(),
			current_setting('transaction_read_only') = 'on', current_setting('server_encoding'), current_setting('fsync'),
			current_setting('synchronous_commit')`).
		Scan(&s.number, &s.standby, &s.readOnly, &s.encoding, &s.fsync, &s.synchronous)
	return s, err
}
