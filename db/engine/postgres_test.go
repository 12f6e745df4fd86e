package engine_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"gatehouse/db/dbtest/server"
	"gatehouse/db/engine"
)

var ctx = context.Background()

// startServer starts a server of the test's own.
func startServer(t *testing.T) *server.Server {
	t.Helper()
	s, err := server.Start()
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip("this takes a PostgreSQL server: ", err)
	}
	t.Cleanup(func() { _ = s.Remove() })
	return s
}

func openAt(t *testing.T, url string) *engine.PostgresDB {
	t.Helper()
	p, err := engine.OpenPostgres(ctx, engine.PostgresOptions{
		URL:      url,
		Volatile: true,
		Locks: engine.Locks{
			"nothing": {},
			"row":     {Keys: `SELECT id FROM thing WHERE id = $1 FOR NO KEY UPDATE`},
		},
		IsCommitted: func(err error) bool { return errors.Is(err, errCounted) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

var errCounted = errors.New("refused, and counted")

func exec(t *testing.T, p *engine.PostgresDB, query string) {
	t.Helper()
	if _, err := p.Pool().Exec(query); err != nil {
		t.Fatal(err)
	}
}

func number(t *testing.T, p *engine.PostgresDB, query string) (n int) {
	t.Helper()
	if err := p.Row(ctx, query).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestPostgresWrite commits all or nothing, runs again what another was in the way of, and
// comes back when the server does.
func TestPostgresWrite(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	p := openAt(t, s.URL("postgres"))
	exec(t, p, `CREATE TABLE thing (id int PRIMARY KEY, n int NOT NULL)`)
	exec(t, p, `INSERT INTO thing VALUES (1, 0), (2, 0)`)
	add := func(tx *engine.Tx, id, by int) error {
		return tx.ExecOne(`UPDATE thing SET n = n + $1 WHERE id = $2`, by, id)
	}
	nothing := engine.LockOf("nothing")

	if err := p.Write(ctx, engine.Lock{}, func(*engine.Tx) error { return nil }); err == nil {
		t.Error("a write without a lock went through")
	}
	if err := p.Write(ctx, engine.LockOf("cellar"), func(*engine.Tx) error { return nil }); err == nil {
		t.Error("a write under a lock that nobody takes went through")
	}
	fault := errors.New("a fault")
	for result, want := range map[error]int{nil: 1, errCounted: 1, fault: 0} {
		before := number(t, p, `SELECT n FROM thing WHERE id = 1`)
		err := p.Write(ctx, engine.LockOf("row", 1), func(tx *engine.Tx) error { return errors.Join(add(tx, 1, 1), result) })
		if !errors.Is(err, result) || number(t, p, `SELECT n FROM thing WHERE id = 1`) != before+want {
			t.Errorf("after %v: %v", result, err)
		}
	}
	// An error that do hides has taken everything back: that is told.
	if err := p.Write(ctx, nothing, func(tx *engine.Tx) error {
		_ = add(tx, 1, 1)
		_, _ = tx.Exec(`SELECT 1 / 0`)
		return nil
	}); err == nil || errors.Is(err, engine.ErrUnknown) {
		t.Errorf("a failed transaction was called committed, or unknown: %v", err)
	}

	// Two that wait for each other: one is undone, runs again, and both are done.
	var tries atomic.Int32
	var met sync.WaitGroup
	met.Add(2)
	both := make(chan error, 2)
	for i := range 2 {
		go func() {
			first := true
			both <- p.Write(ctx, nothing, func(tx *engine.Tx) error {
				tries.Add(1)
				if err := add(tx, 1+i, 100); err != nil {
					return err
				}
				if first {
					first = false
					met.Done()
					met.Wait()
				}
				return add(tx, 2-i, 100)
			})
		}()
	}
	if err := errors.Join(<-both, <-both); err != nil || tries.Load() < 3 {
		t.Errorf("a deadlock: %v after %d tries; want it resolved by another", err, tries.Load())
	}

	// The server goes and comes back.
	if err := s.Stop(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	err := p.Write(ctx, nothing, func(tx *engine.Tx) error { return add(tx, 1, 1) })
	if !engine.IsUnavailable(err) || errors.Is(err, engine.ErrUnknown) {
		t.Errorf("while it is stopped: %v", err)
	}
	if err := p.Row(ctx, `SELECT 1`).Scan(new(int)); !engine.IsUnavailable(err) {
		t.Errorf("reading while it is stopped: %v", err)
	}
	if err := s.Run(); err != nil {
		t.Fatal(err)
	}
	if err := p.Write(ctx, nothing, func(tx *engine.Tx) error { return add(tx, 1, 1) }); err != nil {
		t.Errorf("once it is back: %v", err)
	}
}

// TestLostAtCommit cuts the connection as COMMIT is sent: the outcome is unknown, whether
// the server has heard it or not, and nothing is run again.
func TestLostAtCommit(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	direct := openAt(t, s.URL("postgres"))
	exec(t, direct, `CREATE TABLE thing (id int PRIMARY KEY)`)
	for name, forwarded := range map[string]bool{"before the server heard it": false, "after the server did it": true} {
		t.Run(name, func(t *testing.T) {
			at := cutAtCommit(t, s.Port, forwarded)
			p := openAt(t, strings.Replace(s.URL("postgres"), portOf(s.URL("postgres")), at, 1))
			runs := 0
			err := p.Write(ctx, engine.LockOf("nothing"), func(tx *engine.Tx) error {
				runs++
				return tx.ExecOne(`INSERT INTO thing (id) SELECT count(*) + 1 FROM thing`)
			})
			if !errors.Is(err, engine.ErrUnknown) || runs != 1 {
				t.Errorf("got %v after %d runs; want ErrUnknown after one", err, runs)
			}
		})
	}
}

func portOf(url string) string {
	_, rest, _ := strings.Cut(url, "127.0.0.1:")
	port, _, _ := strings.Cut(rest, "/")
	return port
}

// cutAtCommit passes connections on to a server until one sends COMMIT, and then ends it,
// before or after the server has had it.
func cutAtCommit(t *testing.T, port int, forward bool) (at string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			behind, err := net.DialTCP("tcp", nil, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port})
			if err != nil {
				_ = client.Close()
				return
			}
			var cut atomic.Bool
			go func() {
				buffer := make([]byte, 64<<10)
				for {
					n, err := behind.Read(buffer)
					if err != nil || cut.Load() {
						_ = client.Close()
						return
					}
					_, _ = client.Write(buffer[:n])
				}
			}()
			go func() {
				defer behind.Close()
				buffer := make([]byte, 64<<10)
				for {
					n, err := client.Read(buffer)
					if err != nil {
						return
					}
					if strings.Contains(strings.ToLower(string(buffer[:n])), "commit\x00") {
						cut.Store(true)
						if forward {
							_, _ = behind.Write(buffer[:n])
							_, _ = io.Copy(io.Discard, client) // until the answer was swallowed
						}
						_ = client.Close()
						return
					}
					_, _ = behind.Write(buffer[:n])
				}
			}()
		}
	}()
	_, at, _ = net.SplitHostPort(l.Addr().String())
	return at
}

// TestRowsHaveALimit reads rows that do not come: whoever reads them comes back, and the connection
// is not kept.
func TestRowsHaveALimit(t *testing.T) {
	t.Parallel()
	p := openAt(t, startServer(t).URL("postgres"))
	rows, err := p.Rows(ctx, `SELECT n, pg_sleep(3600 * (n - 1)) FROM generate_series(1, 2) AS n`)
	if err == nil {
		defer func() { _ = rows.Close() }()
		for rows.Next() {
		}
		err = rows.Err()
	}
	if !errors.Is(err, context.DeadlineExceeded) && !strings.Contains(err.Error(), "timeout") {
		t.Errorf("reading rows that do not come: %v", err)
	}
}
