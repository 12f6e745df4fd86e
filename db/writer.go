package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"modernc.org/sqlite"
)

// A writer is the one connection that writes. Its turn is taken first come,
// first served. The steps that wait while another one writes become one
// transaction of the file, each in a savepoint of its own: together they reach
// the disk once, and none is answered before it has.
type writer struct {
	path  string
	turn  chan struct{}
	waits atomic.Uint64 // steps that found another's turn
	db    *sql.DB
	conn  *sql.Conn // nil after a fault that could not be rolled back
	stmts map[string]*sql.Stmt

	queueing sync.Mutex
	queue    []*step
}

// A step is what one caller of write wants done.
type step struct {
	ctx    context.Context // ends when the time for the step does
	do     func(*tx) error
	result error
	done   chan struct{} // closed when result stands
}

func openWriter(ctx context.Context, path string) (*writer, error) {
	name, err := dsn(path, "rw", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(ON)", "trusted_schema(OFF)", "secure_delete(ON)", "temp_store(MEMORY)",
		"wal_autocheckpoint(4000)") // every 16 MB: pages that every sign-in writes are carried over a quarter as often
	if err != nil {
		return nil, err
	}
	// As durable as fsync and quicker: only the file's time of change is not waited
	// for. SQLite's own builds do the same. Systems that have no such call keep fsync.
	_, _ = sqlite.Fdatasync(true)
	w := &writer{path: path, turn: make(chan struct{}, 1)}
	if w.db, err = sql.Open("sqlite", name); err != nil {
		return nil, fmt.Errorf("opening %s: %w", path, err)
	}
	if err := w.connect(ctx); err != nil {
		_ = w.db.Close()
		return nil, err
	}
	return w, nil
}

func (w *writer) connect(ctx context.Context) error {
	conn, err := w.db.Conn(ctx)
	if err != nil {
		return fmt.Errorf("opening %s for writing: %w", w.path, err)
	}
	w.conn, w.stmts = conn, map[string]*sql.Stmt{}
	return nil
}

// disconnect drops the connection and what was prepared on it.
func (w *writer) disconnect() {
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

func (w *writer) close() error {
	w.turn <- struct{}{}
	defer func() { <-w.turn }()
	w.disconnect()
	return w.db.Close()
}

// writeTimeout bounds the wait for the turn to write, and the work itself.
const writeTimeout = 8 * time.Second

// write runs one step, all of it or nothing. What it did lasts when do succeeds
// or refuses a second step, since the counting must last. A person who closes the
// tab does not undo it half-way: once the turn has come, cancelling the context
// has no effect.
func (w *writer) write(caller context.Context, do func(*tx) error) error {
	return w.writeWithin(caller, writeTimeout, do)
}

// writeWithin is write for the commands whose work grows with the workspace.
func (w *writer) writeWithin(caller context.Context, limit time.Duration, do func(*tx) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(caller), limit)
	defer cancel()
	s := &step{ctx: ctx, do: do, done: make(chan struct{})}
	w.join(s)
	var gone error
	select {
	case w.turn <- struct{}{}:
		defer func() { <-w.turn }()
		w.runQueue()
		return s.result // it was in the queue, or another turn has run it
	case <-s.done:
		return s.result
	case <-caller.Done():
		gone = caller.Err()
	case <-ctx.Done():
		gone = ctx.Err()
	}
	if w.leave(s) {
		return fmt.Errorf("waiting to write: %w", gone)
	}
	<-s.done
	return s.result
}

func (w *writer) join(s *step) {
	w.queueing.Lock()
	defer w.queueing.Unlock()
	w.queue = append(w.queue, s)
	if len(w.turn) > 0 {
		w.waits.Add(1)
	}
}

// leave takes a step out of the queue, unless its turn has come already.
func (w *writer) leave(s *step) bool {
	w.queueing.Lock()
	defer w.queueing.Unlock()
	before := len(w.queue)
	w.queue = slices.DeleteFunc(w.queue, func(one *step) bool { return one == s })
	return len(w.queue) < before
}

// runQueue runs the steps that wait, for whoever has the turn.
func (w *writer) runQueue() {
	w.queueing.Lock()
	steps := w.queue
	w.queue = nil
	w.queueing.Unlock()
	if len(steps) == 0 {
		return
	}
	err := w.transact(steps)
	for _, s := range steps {
		if err != nil {
			s.result = err // what was not committed has not happened
		}
		close(s.done)
	}
}

// transact runs steps in one transaction (BEGIN IMMEDIATE). Its error is that of
// all of them; a step that fails alone is undone alone.
func (w *writer) transact(steps []*step) error {
	if w.conn == nil {
		if err := w.connect(context.Background()); err != nil {
			return err
		}
	}
	t := &tx{ctx: context.Background(), w: w}
	if _, err := t.exec(`BEGIN IMMEDIATE`); err != nil {
		w.disconnect()
		return fmt.Errorf("beginning: %w", err)
	}
	for _, s := range steps {
		if err := t.run(s, len(steps) == 1); err != nil {
			return w.rollBack(t, err)
		}
	}
	if _, err := t.exec(`COMMIT`); err != nil {
		return w.rollBack(t, fmt.Errorf("committing: %w", err))
	}
	return nil
}

// rollBack undoes a transaction and gives why.
func (w *writer) rollBack(t *tx, why error) error {
	if _, err := t.exec(`ROLLBACK`); err != nil {
		w.disconnect() // SQLite rolled back by itself, or the connection is beyond help
	}
	return why
}

// A tx is a transaction of the writer, as one step sees it.
type tx struct {
	ctx context.Context
	w   *writer
}

// run runs a step and notes its result. It fails when the whole transaction must
// be undone because of it. A step that is alone needs no savepoint: in a large one
// every statement would take longer than the one before.
func (t *tx) run(s *step, alone bool) error {
	if !alone {
		if _, err := t.exec(`SAVEPOINT step`); err != nil {
			return err
		}
	}
	s.result = s.try(&tx{ctx: s.ctx, w: t.w})
	lasts := s.result == nil || counts(s.result)
	switch {
	case alone && lasts:
		return nil
	case alone:
		return s.result
	case !lasts:
		if _, err := t.exec(`ROLLBACK TO step`); err != nil {
			return s.result
		}
	}
	_, err := t.exec(`RELEASE step`)
	return err
}

// try runs what the step does. A panic is a fault of this step alone: it may run
// in the turn of somebody else.
func (s *step) try(t *tx) (err error) {
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("panic: %v\n%s", fault, debug.Stack())
		}
	}()
	return s.do(t)
}

// stmt gives a prepared statement while there is time left. Statements run with a
// context that does not end: each finds its rows by an index and is over in
// microseconds, and watching for the end of every one takes longer than that.
func (t *tx) stmt(query string) (*sql.Stmt, error) {
	if err := t.ctx.Err(); err != nil {
		return nil, fmt.Errorf("before %q: %w", query, err)
	}
	if stmt, ok := t.w.stmts[query]; ok {
		return stmt, nil
	}
	stmt, err := t.w.conn.PrepareContext(context.Background(), query)
	if err != nil {
		return nil, fmt.Errorf("preparing %q: %w", query, err)
	}
	t.w.stmts[query] = stmt
	return stmt, nil
}

// exec runs a statement and gives the number of rows that it changed.
func (t *tx) exec(query string, args ...any) (int64, error) {
	stmt, err := t.stmt(query)
	if err != nil {
		return 0, err
	}
	result, err := stmt.ExecContext(context.Background(), args...)
	if err != nil {
		return 0, fmt.Errorf("running %q: %w", query, err)
	}
	return result.RowsAffected()
}

// one runs a statement that must change exactly one row: a race that was lost
// is a fault, and nothing of the step stays.
func (t *tx) one(query string, args ...any) error {
	n, err := t.exec(query, args...)
	if err == nil && n != 1 {
		err = fmt.Errorf("running %q: %d rows changed, not one", query, n)
	}
	return err
}

func (t *tx) row(query string, args ...any) row {
	stmt, err := t.stmt(query)
	if err != nil {
		return row{err: err}
	}
	return row{r: stmt.QueryRowContext(context.Background(), args...)}
}

func (t *tx) rows(query string, args ...any) (*sql.Rows, error) {
	stmt, err := t.stmt(query)
	if err != nil {
		return nil, err
	}
	return stmt.QueryContext(context.Background(), args...)
}
