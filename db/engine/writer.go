package engine

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// A Writer is the one connection that writes. Its turn is taken first come, first
// served. Jobs that wait while another is at work run together in the next
// transaction, each in a savepoint: they reach the disk once, and none is answered
// before.
type Writer struct {
	path  string
	turn  chan struct{}
	waits atomic.Uint64 // jobs that found another's turn
	db    *sql.DB
	conn  *sql.Conn // nil after a fault that could not be rolled back
	stmts map[string]*sql.Stmt

	isCommitted func(result error) bool

	queueing sync.Mutex
	queue    []*job
}

// A job is what one caller of write wants done.
type job struct {
	ctx    context.Context // ends when the time for the job does
	do     func(*Tx) error
	result error
	done   chan struct{} // closed when result stands
}

// OpenWriter opens a database file for writing. What a job did is committed when
// its result is nil or isCommitted says so: a refusal may have counted something.
func OpenWriter(ctx context.Context, path string, isCommitted func(result error) bool) (*Writer, error) {
	pool, err := openWriting(path)
	if err != nil {
		return nil, err
	}
	w := &Writer{path: path, turn: make(chan struct{}, 1), db: pool, isCommitted: isCommitted}
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
func (w *Writer) TakeTurn() (end func()) {
	w.turn <- struct{}{}
	return func() { <-w.turn }
}

// Waits tells how many jobs have found another's turn.
func (w *Writer) Waits() uint64 { return w.waits.Load() }

// Statements gives the text of everything that was prepared and not dropped since.
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

// Write runs do under a lock, all of it or nothing. What it did lasts when do
// succeeds, or refuses in a way that is committed. A person who closes the tab does
// not undo it half-way: once the turn has come, cancelling the context has no
// effect.
func (w *Writer) Write(caller context.Context, lock Lock, do func(*Tx) error) error {
	return w.WriteWithin(caller, writeTimeout, lock, do)
}

// WriteWithin is Write for the commands whose work grows with the workspace.
func (w *Writer) WriteWithin(caller context.Context, limit time.Duration, lock Lock, do func(*Tx) error) error {
	if lock.Subject() == "" {
		return errNoLock
	}
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

func (w *Writer) join(j *job) {
	w.queueing.Lock()
	defer w.queueing.Unlock()
	w.queue = append(w.queue, j)
	if len(w.turn) > 0 {
		w.waits.Add(1)
	}
}

// leave takes a job out of the queue, unless its turn has come already.
func (w *Writer) leave(j *job) bool {
	w.queueing.Lock()
	defer w.queueing.Unlock()
	before := len(w.queue)
	w.queue = slices.DeleteFunc(w.queue, func(one *job) bool { return one == j })
	return len(w.queue) < before
}

// runQueue runs the jobs that wait, for whoever has the turn.
func (w *Writer) runQueue() {
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
func (w *Writer) transact(jobs []*job) error {
	oldest := jobs[0].ctx // bounds the wait for another process that writes
	if w.conn == nil {
		if err := w.connect(oldest); err != nil {
			return err
		}
	}
	t := &Tx{ctx: context.Background(), w: w}
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
	if _, err := t.Exec(`COMMIT`); err != nil {
		return w.rollBack(t, fmt.Errorf("committing: %w", err))
	}
	return nil
}

// rollBack undoes a transaction and gives why.
func (w *Writer) rollBack(t *Tx, why error) error {
	if _, err := t.Exec(`ROLLBACK`); err != nil {
		w.disconnect() // SQLite rolled back by itself, or the connection is beyond help
	}
	return why
}

// run runs a job in a transaction and notes its result. It fails when the whole
// transaction must be undone because of it. A job that is alone needs no savepoint:
// with one, each statement of a large job would take longer than the one before.
func (j *job) run(t *Tx, alone bool) error {
	if alone {
		j.result = j.try(t.w)
		if t.w.lasts(j.result) {
			return nil
		}
		return j.result
	}
	if _, err := t.Exec(`SAVEPOINT job`); err != nil {
		return err
	}
	if j.result = j.try(t.w); !t.w.lasts(j.result) {
		if _, err := t.Exec(`ROLLBACK TO job`); err != nil {
			return fmt.Errorf("undoing one of several jobs: %w", err) // not its result: the others would hear a refusal that is not theirs
		}
	}
	_, err := t.Exec(`RELEASE job`)
	return err
}

// lasts reports whether what a job did stays.
func (w *Writer) lasts(result error) bool { return result == nil || w.isCommitted(result) }

// try does what the job is. A panic is a fault of this job alone: it may run in the
// turn of somebody else.
func (j *job) try(w *Writer) (err error) {
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("panic: %v\n%s", fault, debug.Stack())
		}
	}()
	return j.do(&Tx{ctx: j.ctx, w: w})
}

// A Tx is the writer's transaction with the time that one job has.
type Tx struct {
	ctx context.Context
	w   *Writer
}

// stmt gives a prepared statement while there is time left. Statements run with a
// context that does not end: nearly all find their rows by an index and take
// microseconds, and watching for the end of each takes longer.
func (t *Tx) stmt(query string) (*sql.Stmt, error) {
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

// Exec runs a statement and gives the number of rows that it changed.
func (t *Tx) Exec(query string, args ...any) (int64, error) {
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

// ExecOne runs a statement that must change exactly one row: a race that was lost
// is a fault, and nothing of the job stays.
func (t *Tx) ExecOne(query string, args ...any) error {
	n, err := t.Exec(query, args...)
	if err == nil && n != 1 {
		err = fmt.Errorf("running %q: %d rows changed, not one", query, n)
	}
	return err
}

// Script runs several statements at once that take no arguments.
func (t *Tx) Script(text string) error {
	_, err := t.w.conn.ExecContext(context.Background(), text)
	return err
}

// Row reads one row.
func (t *Tx) Row(query string, args ...any) Row {
	stmt, err := t.stmt(query)
	if err != nil {
		return Row{err: err}
	}
	return Row{row: stmt.QueryRowContext(context.Background(), args...)}
}

// Rows reads rows, which the caller closes before the next statement.
func (t *Tx) Rows(query string, args ...any) (*sql.Rows, error) {
	stmt, err := t.stmt(query)
	if err != nil {
		return nil, err
	}
	return stmt.QueryContext(context.Background(), args...)
}
