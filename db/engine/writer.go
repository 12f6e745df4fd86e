package engine

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"maps"
	"slices"
	"time"

	"gatehouse/db/engine/commit"
)

// A Writer is the one connection that writes, first come, first served. Writes that
// wait while another is at work share the next transaction.
type Writer struct {
	path  string
	db    *sql.DB
	conn  *sql.Conn // nil after a fault that could not be rolled back
	stmts map[string]*sql.Stmt
	queue *commit.Queue
}

// OpenWriter opens a database file for writing. What a write did is committed when
// its result is nil or isCommitted says so: a refusal may have counted something.
func OpenWriter(ctx context.Context, path string, isCommitted func(result error) bool) (*Writer, error) {
	pool, err := openWriting(path)
	if err != nil {
		return nil, err
	}
	w := &Writer{path: path, db: pool}
	w.queue = commit.New(steps{w}, isCommitted)
	if err := w.connect(ctx); err != nil {
		_ = w.db.Close()
		return nil, err
	}
	return w, nil
}

func (w *Writer) connect(ctx context.Context) error {
	conn, err := w.db.Conn(ctx)
	if err != nil {
		return fmt.Errorf("opening %s for writing: %w", w.path, err)
	}
	w.conn, w.stmts = conn, map[string]*sql.Stmt{}
	return nil
}

// disconnect drops the connection and what was prepared on it.
func (w *Writer) disconnect() {
	if w.conn == nil {
		return
	}
	for _, stmt := range w.stmts {
		_ = stmt.Close()
	}
	conn := w.conn
	w.conn, w.stmts = nil, nil
	_ = conn.Raw(func(any) error { return driver.ErrBadConn })
	_ = conn.Close()
}

// Close ends writing, after the transaction that is at work.
func (w *Writer) Close() error {
	defer w.TakeTurn()()
	w.disconnect()
	return w.db.Close()
}

// TakeTurn takes the turn to write: nobody else writes until end is called.
func (w *Writer) TakeTurn() (end func()) { return w.queue.TakeTurn() }

// Waits tells how many writes have found another's turn.
func (w *Writer) Waits() uint64 { return w.queue.Waits() }

// Statements returns the text of everything that was prepared and not dropped since.
func (w *Writer) Statements() []string {
	defer w.TakeTurn()()
	return slices.Collect(maps.Keys(w.stmts))
}

// Pragma sets something on the writing connection, between transactions. A new
// connection, which the writer takes after a fault, does not have it.
func (w *Writer) Pragma(ctx context.Context, text string) error {
	defer w.TakeTurn()()
	_, err := w.conn.ExecContext(ctx, "PRAGMA "+text)
	return err
}

// writeTimeout bounds the wait for the turn to write; work that takes longer ends
// at the first statement after it.
const writeTimeout = 8 * time.Second

// Write is that of Writing.
func (w *Writer) Write(caller context.Context, lock Lock, do func(*Tx) error) error {
	return w.write(caller, writeTimeout, false, lock, do)
}

// WriteWithin has another limit and a transaction to itself, so that nobody waits for its
// commit.
func (w *Writer) WriteWithin(caller context.Context, limit time.Duration, lock Lock, do func(*Tx) error) error {
	return w.write(caller, limit, true, lock, do)
}

func (w *Writer) write(caller context.Context, limit time.Duration, alone bool, lock Lock, do func(*Tx) error) error {
	if lock.Subject() == "" {
		return errNoLock
	}
	return w.queue.Do(caller, limit, alone, func(ctx context.Context) error {
		return do(w.tx(ctx))
	})
}

// tx gives a job the transaction with the time that it has. Statements run with a context
// that does not end: nearly all find their rows by an index and take microseconds, and
// watching for the end of each takes longer.
func (w *Writer) tx(ctx context.Context) *Tx {
	return &Tx{ctx: ctx, running: context.Background(), on: w}
}

// statement returns a prepared one.
func (w *Writer) statement(query string) (statement, error) {
	if stmt, ok := w.stmts[query]; ok {
		return stmt, nil
	}
	stmt, err := w.conn.PrepareContext(context.Background(), query)
	if err != nil {
		return nil, fmt.Errorf("preparing %q: %w", query, err)
	}
	w.stmts[query] = stmt
	return stmt, nil
}

func (w *Writer) kind() Kind { return SQLite }

func (w *Writer) script(ctx context.Context, text string) error {
	_, err := w.conn.ExecContext(ctx, text)
	return err
}

// steps are the writer's connection as the queue drives it.
type steps struct{ w *Writer }

var _ commit.Database = steps{}

// Begin takes a new connection after a fault.
func (s steps) Begin(ctx context.Context) error {
	if s.w.conn == nil {
		if err := s.w.connect(ctx); err != nil {
			return err
		}
	}
	begin, err := s.w.statement(`BEGIN IMMEDIATE`)
	if err == nil {
		_, err = begin.ExecContext(ctx)
	}
	if err != nil {
		s.w.disconnect()
	}
	return err
}

// Mark sets a savepoint.
func (s steps) Mark() error { return s.exec(`SAVEPOINT job`) }

// Unmark lets go of the savepoint.
func (s steps) Unmark() error { return s.exec(`RELEASE job`) }

// Undo goes back to the savepoint and closes it.
func (s steps) Undo() error {
	if err := s.exec(`ROLLBACK TO job`); err != nil {
		return err
	}
	return s.exec(`RELEASE job`)
}

// Commit commits.
func (s steps) Commit() error { return s.exec(`COMMIT`) }

// Abandon rolls back, or drops the connection when SQLite has done so by itself or the
// connection is broken.
func (s steps) Abandon() {
	if err := s.exec(`ROLLBACK`); err != nil {
		s.w.disconnect()
	}
}

// exec runs one of the statements around the jobs, which no job's time bounds.
func (s steps) exec(query string) error {
	_, err := s.w.tx(context.Background()).Exec(query)
	return err
}
