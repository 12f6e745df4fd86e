package engine

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/stdlib"
)

// A PostgresDB is a workspace's database on a PostgreSQL server, which others may write
// to as well. Its methods may be called from any goroutine.
type PostgresDB struct {
	pool        *sql.DB
	locks       Locks
	isCommitted func(result error) bool
	statements  sync.Map // by their text
}

// Locks are the statements by which locks are taken, by the lock's subject. Each is a
// statement of its own before all others, so that what decides is read once it is held.
// A lock of several keys runs it for each of them.
type Locks map[string]struct {
	Query string // "" for nothing
	Keys  string // for each key after it
}

// The limits of a process.
const (
	maxConnections = 16
	connectionAge  = 30 * time.Minute
	patience       = 2 * time.Second // for a free connection, or a new one
)

// retries is how often a transaction is begun anew that another one was in the way of.
const retries = 3

// PostgresOptions are what it takes to open a database.
type PostgresOptions struct {
	URL         string
	Insecure    bool          // a server off this machine need not prove who it is
	Volatile    bool          // a server that loses what it has confirmed is taken: for tests
	Wait        time.Duration // how long to wait for a server that does not answer
	Locks       Locks
	IsCommitted func(result error) bool // what a write did is committed although it refuses
}

// OpenPostgres connects to a server. One that cannot keep a workspace is refused, with a
// sentence that says what to do.
func OpenPostgres(ctx context.Context, o PostgresOptions) (*PostgresDB, error) {
	config, err := parseURL(o.URL, o.Insecure)
	if err != nil {
		return nil, err
	}
	pool := stdlib.OpenDB(*config)
	pool.SetMaxOpenConns(maxConnections)
	pool.SetMaxIdleConns(maxConnections)
	pool.SetConnMaxLifetime(connectionAge)
	if err := checkServer(ctx, pool, o); err != nil {
		_ = pool.Close()
		return nil, err
	}
	return &PostgresDB{pool: pool, locks: o.Locks, isCommitted: o.IsCommitted}, nil
}

// Close closes the connections.
func (p *PostgresDB) Close() error { return p.pool.Close() }

// Pool returns the connections.
func (p *PostgresDB) Pool() *sql.DB { return p.pool }

// Waits tells how many readers and writers have found no free connection.
func (p *PostgresDB) Waits() uint64 { return uint64(max(0, p.pool.Stats().WaitCount)) }

// Statements returns the text of everything that was run.
func (p *PostgresDB) Statements() (all []string) {
	p.statements.Range(func(query, _ any) bool {
		all = append(all, query.(string))
		return true
	})
	return all
}

// note keeps a statement's text.
func (p *PostgresDB) note(query string) {
	if _, ok := p.statements.Load(query); !ok {
		p.statements.Store(query, nil)
	}
}

// conn takes a connection, which is given back when it is closed.
func (p *PostgresDB) conn(ctx context.Context) (*sql.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	conn, err := p.pool.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("connecting to the database: %w", err)
	}
	return conn, nil
}

// Row reads one row. Once begun it does not end with the caller: that would cost the
// connection.
func (p *PostgresDB) Row(ctx context.Context, query string, args ...any) Row {
	p.note(query)
	conn, err := p.conn(ctx)
	if err != nil {
		return Row{err: err}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
	return Row{row: conn.QueryRowContext(ctx, query, args...), done: func() {
		_ = conn.Close()
		cancel()
	}}
}

// Rows reads rows, which the caller closes, within the same limit as a write: what reads
// more than a page reads it page by page.
func (p *PostgresDB) Rows(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	p.note(query)
	conn, err := p.conn(ctx)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
	rows, err := conn.QueryContext(ctx, query, args...)
	if err != nil {
		cancel()
		_ = conn.Close()
		return nil, err
	}
	go func() {
		_ = conn.Close() // which waits until the rows are closed
		cancel()
	}()
	return rows, nil
}

// Write is that of Writing.
func (p *PostgresDB) Write(caller context.Context, lock Lock, do func(*Tx) error) error {
	return p.WriteWithin(caller, writeTimeout, lock, do)
}

// WriteWithin has another limit.
func (p *PostgresDB) WriteWithin(caller context.Context, limit time.Duration, lock Lock, do func(*Tx) error) error {
	if lock.Subject() == "" {
		return errNoLock
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(caller), limit)
	defer cancel()
	for tried := 1; ; tried++ {
		conn, err := p.conn(caller)
		if err != nil {
			return err
		}
		err = p.once(ctx, conn, limit, lock, do)
		if !isInTheWay(err) || tried > retries {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(rand.N(time.Duration(tried) * 20 * time.Millisecond)): //nolint:gosec // no secret
		}
	}
}

// once runs a transaction on a connection and gives that back.
func (p *PostgresDB) once(ctx context.Context, conn *sql.Conn, limit time.Duration, lock Lock,
	do func(*Tx) error) (err error) {
	defer func() {
		if isReadOnly(err) { // the server is a standby now: whoever connects anew finds the one that writes
			_ = conn.Raw(func(any) error { return driver.ErrBadConn })
		}
		_ = conn.Close()
	}()
	on, err := conn.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelReadCommitted})
	if err != nil {
		return fmt.Errorf("beginning: %w", err)
	}
	defer func() { _ = on.Rollback() }() // where it was not committed
	t := &Tx{ctx: ctx, running: ctx, on: postgresTx{p, on}}
	if limit > writeTimeout {
		if err := Unlimited(ctx, on); err != nil {
			return err
		}
	}
	if err := p.lock(t, lock); err != nil {
		return err
	}
	result := do(t)
	if result != nil && !p.isCommitted(result) {
		return result
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("before committing: %w", err)
	}
	if err := on.Commit(); err != nil {
		return commitError(err)
	}
	return result
}

// Unlimited lifts the limits that a server's role has for pages and steps from a
// transaction whose work grows with the workspace.
func Unlimited(ctx context.Context, tx *sql.Tx) error {
	_, err := tx.ExecContext(ctx, `SELECT set_config('statement_timeout', '0', TRUE),
		set_config('idle_in_transaction_session_timeout', '0', TRUE)`)
	return err
}

// lock takes a lock.
func (p *PostgresDB) lock(t *Tx, lock Lock) error {
	statements, ok := p.locks[lock.subject]
	if !ok {
		return fmt.Errorf("no statement takes the lock of %s", lock.subject)
	}
	if statements.Query != "" {
		if _, err := t.Exec(statements.Query); err != nil {
			return err
		}
	}
	if statements.Keys == "" {
		return nil
	}
	for _, key := range lock.keys {
		if _, err := t.Exec(statements.Keys, key); err != nil {
			return err
		}
	}
	return nil
}

// A postgresTx is the connection of a transaction. The driver prepares what it runs.
type postgresTx struct {
	p  *PostgresDB
	tx *sql.Tx
}

func (postgresTx) kind() Kind { return Postgres }

func (c postgresTx) statement(query string) (statement, error) {
	c.p.note(query)
	return postgresStatement{c.tx, query}, nil
}

func (c postgresTx) script(ctx context.Context, text string) error {
	_, err := c.tx.ExecContext(ctx, text)
	return err
}

type postgresStatement struct {
	tx    *sql.Tx
	query string
}

func (s postgresStatement) ExecContext(ctx context.Context, args ...any) (sql.Result, error) {
	return s.tx.ExecContext(ctx, s.query, args...)
}

func (s postgresStatement) QueryContext(ctx context.Context, args ...any) (*sql.Rows, error) {
	return s.tx.QueryContext(ctx, s.query, args...)
}

func (s postgresStatement) QueryRowContext(ctx context.Context, args ...any) *sql.Row {
	return s.tx.QueryRowContext(ctx, s.query, args...)
}
