package db_test

import (
	"encoding/binary"
	"io"
	"net"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"gatehouse/account"
	"gatehouse/db"
	"gatehouse/db/dbtest"
	"gatehouse/db/dbtest/server"
	"gatehouse/twofactor"
)

// TestNodeBehindWritesNoClick uses a session on a node whose clock is behind that of the node which
// noted its use: as long as no clock was set back, that is no reason to write.
func TestNodeBehindWritesNoClick(t *testing.T) {
	t.Parallel()
	store := dbtest.Open(t)
	dbtest.Add(t, store, "ada@example.org", twofactor.Member)
	p, err := store.SignIn(ctx, "ada@example.org", dbtest.Password, "", db.Client{}, start)
	if err != nil {
		t.Fatal(err)
	}
	for behind, written := range map[time.Duration]bool{10 * time.Second: false, 16 * time.Second: true} {
		now := start.Add(-behind)
		v := visitor(t, store, p.Session, now)
		if err := store.Touch(ctx, v, now); err != nil {
			t.Fatal(err)
		}
		if seen := visitor(t, store, p.Session, now).SeenAt; seen.Equal(now) != written {
			t.Errorf("%v behind: seen at %v", behind, seen)
		}
		if err := store.Touch(ctx, visitor(t, store, p.Session, start.Add(2*time.Minute)), start); err != nil {
			t.Fatal(err)
		}
	}
}

// statementsOf opens a workspace through a proxy that counts the statements which cross the wire.
func statementsOf(t *testing.T, dir string) (store *db.Store, count func() int64) {
	t.Helper()
	o := dbtest.Options(t, dir)
	at, err := url.Parse(o.Database)
	if err != nil {
		t.Fatal(err)
	}
	target := at.Host
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	var n atomic.Int64
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go countStatements(client, target, &n)
		}
	}()
	at.Host = l.Addr().String()
	o.Database = at.String()
	if store, err = db.Open(ctx, o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	before := int64(0)
	return store, func() int64 {
		now := n.Load()
		defer func() { before = now }()
		return now - before
	}
}

// countStatements passes a connection on and counts its Execute and Query messages.
func countStatements(client net.Conn, target string, n *atomic.Int64) {
	defer client.Close()
	upstream, err := net.Dial("tcp", target)
	if err != nil {
		return
	}
	defer upstream.Close()
	go func() { _, _ = io.Copy(client, upstream) }()
	for started := false; ; started = true {
		head := make([]byte, 5) // a type and a length; the first message has no type
		if !started {
			head = head[:4]
		}
		if _, err := io.ReadFull(client, head); err != nil {
			return
		}
		rest := make([]byte, binary.BigEndian.Uint32(head[len(head)-4:])-4)
		if _, err := io.ReadFull(client, rest); err != nil {
			return
		}
		if started && (head[0] == 'E' || head[0] == 'Q') {
			n.Add(1)
		}
		if _, err := upstream.Write(append(head, rest...)); err != nil {
			return
		}
	}
}

// maxStatements is how many statements a whole sign-in takes: password, the page of the challenge,
// code, the page after it. Three begin a transaction and three commit it.
const maxStatements = 47

// TestStatementsOfASignIn counts what a whole sign-in with a second step asks of the server, its
// transactions' own BEGIN and COMMIT included, and what adding a person does.
func TestStatementsOfASignIn(t *testing.T) {
	dbtest.OnlyPostgres(t)
	t.Parallel()
	dir := t.TempDir()
	dbtest.OpenIn(t, dir) // the directory's database, made
	if server.Of(dir) == "" {
		t.Fatal("the directory has no database")
	}
	store, count := statementsOf(t, dir)
	dbtest.Add(t, store, "ada@example.org", twofactor.Member)
	ada := enrol(t, store, "ada@example.org", start)
	now := start.Add(time.Hour)
	whole := func() {
		t.Helper()
		c := db.Client{Address: "192.0.2.1"}
		p, err := store.SignIn(ctx, "ada@example.org", dbtest.Password, "", c, now)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := store.Challenge(ctx, p.Challenge, now); err != nil {
			t.Fatal(err)
		}
		in, err := store.VerifyCode(ctx, p.Challenge, dbtest.Code(t, ada.secret, now), c, now)
		if err != nil {
			t.Fatal(err)
		}
		visitor(t, store, in.Session, now)
		now = now.Add(time.Minute)
	}
	whole() // what is prepared once
	count()
	whole()
	signIn := count()
	long := db.NewPerson{
		Name:     "Alexandrina Konstantinopolou-Featherstonehaugh",
		Email:    "alexandrina.konstantinopolou@subdomain.example.org",
		Password: dbtest.Password,
		Role:     twofactor.Member,
	}
	if _, err := store.AddPerson(ctx, long, db.Machine("test"), now); err != nil {
		t.Fatal(err)
	}
	added := count()
	words := len(account.Endings(long.Name, long.Email))
	t.Logf("a sign-in: %d statements; adding a person who is found by %d words: %d", signIn, words, added)
	if signIn > maxStatements || signIn == 0 {
		t.Errorf("a whole sign-in takes %d statements; at most %d until now", signIn, maxStatements)
	}
	if added >= int64(words) {
		t.Errorf("adding a person takes %d statements for %d words", added, words)
	}
}
