package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"modernc.org/sqlite"
)

// A writer is the one connection that writes. Its turn is taken first come, first
// served. Jobs that wait while another is at work run together in the next
// transaction, each in a savepoint: they reach the disk once, and none is answered
// before.
type writer struct {
	path  string
	turn  chan struct{}
	waits atomic.Uint64 // jobs that found another's turn
	db    *sql.DB
	conn  *sql.Conn // nil after a fault that could not be rolled back
	stmts map[string]*sql.Stmt

	queueing sync.Mutex
	queue    []*job
}

// A job is what one caller of write wants done.
type job struct {
	ctx    context.Context // ends when the time for the job does
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
	// fdatasync is as durable as fsync and quicker: it does not wait for the file's
	// times. SQLite's builds for Linux use it. The switch is the process's; macOS and
	// Windows have none and keep fsync.
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

// writeTimeout bounds the wait for the turn to write; work that takes longer ends
// at the first statement after it.
const writeTimeout = 8 * time.Second

// write runs do, all of it or nothing. What it did lasts when do succeeds or
// refuses a code, since the counting must last. A person who closes the tab does
// not undo it half-way: once the turn has come, cancelling the context has no
// effect.
func (w *writer) write(caller context.Context, do func(*tx) error) error {
	return w.writeWithin(caller, writeTimeout, do)
}

// writeWithin is write for the commands whose work grows with the workspace.
func (w *writer) writeWithin(caller context.Context, limit time.Duration, do func(*tx) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(caller), limit)
	defer cancel()
	j := &job{ctx: ctx, do: do, done: make(chan struct{})}
	w.join(j)
	var gone error
	select {
	case w.turn <- struct{}{}:
		defer func() { <-w.turn }()
		w.runQueue()
		return j.result // it was in the queue, or another turn has run it
	case <-j.done:
		return j.result
	case <-caller.Done():
		gone = caller.Err()
	case <-ctx.Done():
		gone = ctx.Err()
	}
	if w.leave(j) {
		return fmt.Errorf("waiting to write: %w", gone)
	}
	<-j.done
	return j.result
}

func (w *writer) join(j *job) {
	w.queueing.Lock()
	defer w.queueing.Unlock()
	w.queue = append(w.queue, j)
	if len(w.turn) > 0 {
		w.waits.Add(1)
	}
}

// leave takes a job out of the queue, unless its turn has come already.
func (w *writer) leave(j *job) bool {
	w.queueing.Lock()
	defer w.queueing.Unlock()
	before := len(w.queue)
	w.queue = slices.DeleteFunc(w.queue, func(one *job) bool { return one == j })
	return len(w.queue) < before
}

// runQueue runs the jobs that wait, for whoever has the turn.
func (w *writer) runQueue() {
	w.queueing.Lock()
	jobs := w.queue
	w.queue = nil
	w.queueing.Unlock()
	if len(jobs) == 0 {
		return
	}
	err := errCutOff // stands when transact does not come back
	defer func() {
		for _, j := range jobs {
			if err != nil {
				j.result = err // what was not committed has not happened
			}
			close(j.done)
		}
	}()
	err = w.transact(jobs)
}

// errCutOff is the answer to jobs whose transaction a panic has ended.
var errCutOff = errors.New("the transaction was cut off")

// transact runs jobs in one transaction (BEGIN IMMEDIATE). Its error is that of
// all of them; a job that fails alone is undone alone.
func (w *writer) transact(jobs []*job) error {
	oldest := jobs[0].ctx // bounds the wait for another process that writes
	if w.conn == nil {
		if err := w.connect(oldest); err != nil {
			return err
		}
	}
	t := &tx{ctx: context.Background(), w: w}
	begin, err := t.stmt(`BEGIN IMMEDIATE`)
	if err == nil {
		_, err = begin.ExecContext(oldest)
	}
	if err != nil {
		w.disconnect()
		return fmt.Errorf("beginning: %w", err)
	}
	for _, j := range jobs {
		if err := j.run(t, len(jobs) == 1); err != nil {
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

// run runs a job in a transaction and notes its result. It fails when the whole
// transaction must be undone because of it. A job that is alone needs no savepoint:
// with one, each statement of a large job would take longer than the one before.
func (j *job) run(t *tx, alone bool) error {
	if alone {
		j.result = j.try(t.w)
		if lasts(j.result) {
			return nil
		}
		return j.result
	}
	if _, err := t.exec(`SAVEPOINT job`); err != nil {
		return err
	}
	if j.result = j.try(t.w); !lasts(j.result) {
		if _, err := t.exec(`ROLLBACK TO job`); err != nil {
			return fmt.Errorf("undoing one of several jobs: %w", err) // not its result: the others would hear a refusal that is not theirs
		}
	}
	_, err := t.exec(`RELEASE job`)
	return err
}

// lasts reports whether what a job did stays.
func lasts(result error) bool { return result == nil || counts(result) }

// try does what the job is. A panic is a fault of this job alone: it may run in the
// turn of somebody else.
func (j *job) try(w *writer) (err error) {
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("panic: %v\n%s", fault, debug.Stack())
		}
	}()
	return j.do(&tx{ctx: j.ctx, w: w})
}

// A tx is the writer's transaction with the time that one job has.
type tx struct {
	ctx context.Context
	w   *writer
}

// stmt gives a prepared statement while there is time left. Statements run with a
// context that does not end: nearly all find their rows by an index and take
// microseconds, and watching for the end of each takes longer.
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
// is a fault, and nothing of the job stays.
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
