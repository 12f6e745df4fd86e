package engine

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// The SQLSTATE codes that decide something: postgresql.org/docs/current/errcodes-appendix.html
const (
	codeUnique          = "23505"
	codeReadOnly        = "25006"
	codeSerialization   = "40001"
	codeUnknown         = "40003"
	codeDeadlock        = "40P01"
	codeLockTimeout     = "55P03"
	codeDiskFull        = "53100"
	codeCanceled        = "57014"
	codeIdleTransaction = "25P03"
)

// ErrUnknown is the answer to whoever's transaction was being committed when the
// connection was lost: nobody knows whether it was, and it is never run again by itself.
var ErrUnknown = errors.New("the connection was lost at the commit")

// commitError is why a commit failed: for certain, where the server says that it has
// taken everything back, and ErrUnknown otherwise.
func commitError(err error) error {
	code := postgresCode(err)
	if errors.Is(err, pgx.ErrTxCommitRollback) || pgconn.SafeToRetry(err) ||
		code != "" && code != codeUnknown && !isConnectionCode(code) {
		return fmt.Errorf("committing: %w", err)
	}
	return fmt.Errorf("%w: %w", ErrUnknown, err)
}

// postgresCode is a server's SQLSTATE code; "" for an error that is none of a server's.
func postgresCode(err error) string {
	var fault *pgconn.PgError
	if !errors.As(err, &fault) {
		return ""
	}
	return fault.Code
}

// isInTheWay reports whether another transaction was in the way: this one was taken back,
// and may be run again.
func isInTheWay(err error) bool {
	return slices.Contains([]string{codeSerialization, codeDeadlock, codeLockTimeout}, postgresCode(err))
}

// isReadOnly reports whether the server takes no writes: it was, or has become, a standby.
func isReadOnly(err error) bool { return postgresCode(err) == codeReadOnly }

// isConnectionCode reports whether a server has ended a connection, is starting or
// stopping, or has no room for one.
func isConnectionCode(code string) bool {
	return strings.HasPrefix(code, "08") || strings.HasPrefix(code, "57P0") || code == "53300" ||
		code == codeIdleTransaction || strings.HasPrefix(code, "58") || strings.HasPrefix(code, "XX")
}

// isUnreachable reports whether a server could not be reached, or the connection to it
// was lost.
func isUnreachable(err error) bool {
	var network net.Error
	switch code := postgresCode(err); {
	case code != "":
		return strings.HasPrefix(code, "08") || strings.HasPrefix(code, "57P0") || code == "53300" || code == codeIdleTransaction
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, driver.ErrBadConn),
		errors.Is(err, net.ErrClosed), errors.Is(err, pgconn.ErrConnClosed), errors.As(err, &network):
		return true
	}
	return pgconn.Timeout(err)
}

// IsUnavailable reports whether the database did not answer, not in time, or not to
// this: whoever asked may ask again in a while.
func IsUnavailable(err error) bool {
	if errors.Is(err, ErrUnknown) || isUnreachable(err) || isInTheWay(err) || isReadOnly(err) ||
		postgresCode(err) == codeCanceled {
		return true
	}
	return errors.Is(err, context.DeadlineExceeded) && postgresCode(err) == ""
}

// explainConnecting says why no server could be asked, without its address: that may
// hold a password.
func explainConnecting(err error) error {
	code := postgresCode(err)
	var fault *pgconn.PgError
	switch {
	case strings.HasPrefix(code, "28"):
		return errors.New("the database server does not let this role in; look at the name and the password in the database's address, and at pg_hba.conf")
	case code == "3D000":
		return errors.New("there is no such database on the server; make it with: CREATE DATABASE gatehouse ENCODING 'UTF8' TEMPLATE template0")
	case errors.As(err, &fault):
		return fmt.Errorf("the database server refuses: %s (SQLSTATE %s)", fault.Message, fault.Code)
	case strings.Contains(err.Error(), "certificate"), strings.Contains(err.Error(), "tls:"), strings.Contains(err.Error(), "refused TLS"):
		return errors.New("the database server does not prove who it is; look at its certificate, and name the authority with sslrootcert=FILE in the database's address")
	case strings.Contains(err.Error(), "read only") || strings.Contains(err.Error(), "target_session_attrs"):
		return errors.New("none of the database servers takes writes; name the primary")
	}
	return errors.New("the database server does not answer; start it, or look at the host and the port in the database's address")
}
