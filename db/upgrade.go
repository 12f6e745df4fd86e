package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"

	"gatehouse/db/engine"
	"gatehouse/db/files"
)

// A migration is one step of an upgrade: SQL without BEGIN, COMMIT and PRAGMA, and
// then what SQL cannot say, in the same transaction. It is never changed once it was
// released, but for rules that it asks: those give what the program of today stores.
type migration struct {
	sql  string
	inGo func(ctx context.Context, c *sql.Conn) error // nil where SQL says it all
}

// migrations lead from schema 1 to that of schema.sql, a step each. The columns
// key_id and lookup_key of workspace stay as they are for ever: the key is proved
// before the first step.
var migrations = []migration{
	// To 2: a sign-in is written to one index of activity less, and a search for a
	// beginning that all share stops at a full page.
	{sql: `DROP INDEX activity_by_actor;
	CREATE INDEX activity_by_actor ON activity (actor_id, at, id) WHERE actor_id IS DISTINCT FROM subject_id;
	DROP TABLE person_search;
	CREATE VIRTUAL TABLE person_search USING fts5 (name, email, content = 'person', content_rowid = 'id', tokenize = 'unicode61 remove_diacritics 2', prefix = '1 2 3 4 5 6 7 8');
	INSERT INTO person_search (person_search) VALUES ('rebuild');`},
	// To 3.
	//
	// Forms name the session or challenge that they were shown to: its handle becomes
	// unique, and challenges get one. Those of before the upgrade end. A session knows
	// between which rows of activity lies what it tells.
	//
	// Attempts that are being looked at stand apart from wrong ones. A known browser is
	// one person's: tokens that several people had in common are forgotten. Failed
	// sign-ins with unknown names are counted by the hour.
	//
	// The activity says of each row what kind of actor it has; a person can be removed;
	// a notice is found by its row of activity.
	//
	// People are ordered and found by what Go makes of their names and addresses, and
	// the store's code keeps who has enrolled.
	{inGo: fillWords, sql: `CREATE TABLE session_2 AS SELECT * FROM session;
	DROP TABLE session;
	` + sessionTable3 + `
	INSERT INTO session (id_hash, handle, person_id, started_at, authenticated_at, seen_at, previous_sign_in_at, events_from, events_until, browser, address)
		SELECT id_hash, handle, person_id, started_at, authenticated_at, seen_at, previous_sign_in_at,
			coalesce((SELECT max(id) FROM activity WHERE subject_id = person_id AND at = previous_sign_in_at AND event = 'authn_login_success'), 0),
			CASE WHEN previous_sign_in_at IS NULL THEN 0
				ELSE coalesce((SELECT max(id) FROM activity WHERE subject_id = person_id AND at = started_at AND event = 'authn_login_success'), 0) END,
			browser, address
		FROM session_2;
	DROP TABLE session_2;
	CREATE INDEX session_by_person ON session (person_id, started_at);
	CREATE INDEX session_by_seen ON session (seen_at);
	DROP TABLE challenge;
	` + challengeTable3 + `
	CREATE INDEX challenge_by_person ON challenge (person_id);
	CREATE INDEX challenge_expiry ON challenge (expires_at);

	CREATE TEMP TABLE old_attempt AS SELECT kind, subject, n, last_at FROM attempt WHERE subject NOT LIKE 'unknown:%';
	DROP TABLE attempt;
	` + attemptTable3 + `
	CREATE INDEX attempt_age ON attempt (last_at);
	INSERT INTO attempt (kind, subject, n, last_at, open, open_at) SELECT kind, subject, n, last_at, 0, 0 FROM old_attempt;
	DROP TABLE old_attempt;

	CREATE TEMP TABLE old_browser AS SELECT token_hash, person_id, wrong_codes, expires_at FROM known_browser
		WHERE token_hash NOT IN (SELECT token_hash FROM known_browser GROUP BY token_hash HAVING count(*) > 1);
	DROP TABLE known_browser;
	` + knownBrowserTable3 + `
	CREATE INDEX known_browser_by_person ON known_browser (person_id, expires_at);
	INSERT INTO known_browser (token_hash, handle, person_id, wrong_codes, browser, address, made_at, seen_at, expires_at)
		SELECT token_hash, lower(hex(randomblob(8))), person_id, wrong_codes, '', '', expires_at - 15552000, expires_at - 15552000, expires_at FROM old_browser;
	DROP TABLE old_browser;

	` + unknownNameTable3 + `

	CREATE TABLE activity_2 AS SELECT * FROM activity;
	DROP TABLE activity;
	` + activityTable3 + `
	INSERT INTO activity (id, at, event, ok, actor_kind, actor_id, actor, subject_id, method, detail, address)
		SELECT id, at, event, ok,
			CASE WHEN actor_id IS NOT NULL THEN 'person' WHEN substr(actor, 1, 3) = 'os:' THEN 'machine' ELSE 'stranger' END,
			actor_id, CASE WHEN actor_id IS NULL THEN actor ELSE '' END, subject_id, method, detail, address
		FROM activity_2 ORDER BY id;
	DROP TABLE activity_2;
	CREATE INDEX activity_by_at ON activity (at, id);
	CREATE INDEX activity_by_subject ON activity (subject_id, at, id);
	CREATE INDEX activity_by_actor ON activity (actor_id, at, id) WHERE actor_id IS DISTINCT FROM subject_id;
	CREATE INDEX activity_by_event ON activity (event, at, id);
	CREATE TRIGGER activity_keeps BEFORE UPDATE ON activity BEGIN SELECT RAISE(ABORT, 'activity is append only'); END;
	CREATE TRIGGER activity_stays BEFORE DELETE ON activity BEGIN SELECT RAISE(ABORT, 'activity is append only'); END;
	CREATE INDEX notice_by_activity ON notice (activity_id);

	DROP TRIGGER enrollment_begins;
	DROP TRIGGER enrollment_confirmed;
	DROP TRIGGER enrollment_ends;
	DROP TABLE person_search;
	CREATE TABLE person_2 AS SELECT * FROM person;
	DROP TABLE person;
	` + personTable3 + `
	INSERT INTO person (id, email, name, sort_key, role, active, password_hash, password_changed_at, made_at, last_sign_in_at,
			enrolled, enrolled_at, unused_codes)
		SELECT p.id, p.email, p.name, '', p.role, p.active, p.password_hash, p.password_changed_at, p.made_at, p.last_sign_in_at,
			p.enrolled, e.confirmed_at,
			coalesce((SELECT sum(1 << c.number) FROM recovery_code c WHERE c.enrollment_id = e.id AND c.used_at IS NULL), 0)
		FROM person_2 p LEFT JOIN enrollment e ON e.person_id = p.id AND e.state = 'enabled';
	DROP TABLE person_2;
	CREATE INDEX person_by_sort_key ON person (sort_key, id) WHERE removed_at IS NULL;
	CREATE INDEX person_not_enrolled ON person (sort_key, id) WHERE active = 1 AND enrolled = 0;
	CREATE INDEX person_admins ON person (role, active) WHERE role <> 'member';
	` + personWordTable3},
	// To 4: what several processes on one database know of each other.
	{sql: `ALTER TABLE workspace ADD COLUMN schema INTEGER NOT NULL DEFAULT 0;
	ALTER TABLE workspace ADD COLUMN oldest INTEGER NOT NULL DEFAULT 0;
	ALTER TABLE workspace ADD COLUMN moved_at INTEGER;
	` + nodeTable4},
	// To 5: apps, groups and user names.
	{inGo: fillUserNames, sql: `ALTER TABLE person ADD COLUMN user_name           TEXT    NOT NULL DEFAULT '';
	ALTER TABLE person ADD COLUMN sub                 TEXT    NOT NULL DEFAULT '';
	CREATE UNIQUE INDEX person_by_user_name ON person (user_name) WHERE user_name <> '';
	CREATE UNIQUE INDEX person_by_sub ON person (sub) WHERE sub <> '';
	` + appTables5},
	// To 6: a session says how it was proved, and recovery codes belong to a person.
	{sql: factorsStep},
	// To 7: passkeys. Everybody gets the handle that authenticators know them by.
	{inGo: fillUserHandles, sql: `ALTER TABLE workspace ADD COLUMN passkey_domain TEXT NOT NULL DEFAULT '';
	ALTER TABLE person ADD COLUMN user_handle BLOB;
	ALTER TABLE person ADD COLUMN enrolled_here INTEGER NOT NULL DEFAULT 0 CHECK (enrolled_here IN (0, 1));
	UPDATE person SET enrolled_here = enrolled;
	DROP INDEX person_not_enrolled;
	CREATE INDEX person_not_enrolled ON person (sort_key, id) WHERE active = TRUE AND enrolled_here = FALSE;
	CREATE INDEX person_left ON person (id) WHERE active = TRUE AND enrolled = TRUE AND enrolled_here = FALSE;
	CREATE UNIQUE INDEX person_by_user_handle ON person (user_handle);
	` + passkeyTables7},
	// To 8: mails, links in mails, and a policy from a date.
	{sql: mailStep},
	// To 9: OpenID Connect.
	{sql: openIDTables9},
	// To 10, which changes nothing: with it PostgreSQL began.
	{},
	// To 11: what an operator is told of.
	{sql: operationStep + tallyTable11 + fillTally + peopleStep},
}

// Tables that step 3 makes anew, letter for letter as in schema.sql.
const (
	sessionTable3 = `CREATE TABLE session (
    id_hash             BLOB    PRIMARY KEY,
    handle              TEXT    NOT NULL UNIQUE, -- random; names the session in the list of one's own and in forms, and is kept when the id changes; worth nothing as a cookie
    person_id           INTEGER NOT NULL REFERENCES person (id),
    started_at          INTEGER NOT NULL,
    authenticated_at    INTEGER NOT NULL, -- when the password was last given
    seen_at             INTEGER NOT NULL, -- written at most once a minute
    previous_sign_in_at INTEGER,
    events_from         INTEGER NOT NULL, -- activity.id of the sign-in before: what happened since then is told in this session
    events_until        INTEGER NOT NULL, -- activity.id of this session's own sign-in: what happens from then on is told in the next
    browser             TEXT    NOT NULL, -- the User-Agent header, cut short
    address             TEXT    NOT NULL
) STRICT, WITHOUT ROWID;`

	challengeTable3 = `CREATE TABLE challenge (
    id_hash     BLOB    PRIMARY KEY,
    handle      TEXT    NOT NULL UNIQUE, -- as in session, which takes it over
    person_id   INTEGER NOT NULL REFERENCES person (id),
    known       INTEGER NOT NULL CHECK (known IN (0, 1)), -- opened from a known browser: others do not crowd it out
    wrong_codes INTEGER NOT NULL DEFAULT 0,
    next        TEXT    NOT NULL, -- where to go afterwards; '' for the portal
    made_at     INTEGER NOT NULL, -- also when the password was given
    expires_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;`

	attemptTable3 = `CREATE TABLE attempt (
    kind    TEXT    NOT NULL CHECK (kind IN ('code', 'recovery', 'password', 'password-known')),
    subject TEXT    NOT NULL, -- a person's id, the beginning of a keyed hash, or id and browser hash or session
    n       INTEGER NOT NULL, -- wrong answers
    last_at INTEGER NOT NULL, -- of the last wrong answer
    open    INTEGER NOT NULL, -- attempts that are being looked at; they count as wrong meanwhile
    open_at INTEGER NOT NULL, -- of the newest of them
    PRIMARY KEY (kind, subject)
) STRICT, WITHOUT ROWID;`

	knownBrowserTable3 = `CREATE TABLE known_browser (
    token_hash  BLOB    PRIMARY KEY,
    handle      TEXT    NOT NULL, -- random; names the browser in the list of one's own; worth nothing as a cookie
    person_id   INTEGER NOT NULL REFERENCES person (id),
    wrong_codes INTEGER NOT NULL DEFAULT 0, -- in a row, from this browser
    browser     TEXT    NOT NULL, -- the User-Agent header of the last sign-in, cut short
    address     TEXT    NOT NULL, -- of the last sign-in
    made_at     INTEGER NOT NULL, -- when it signed in first
    seen_at     INTEGER NOT NULL, -- when it signed in last
    expires_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;`

	unknownNameTable3 = `CREATE TABLE unknown_name (
    hour   INTEGER PRIMARY KEY, -- when it began
    failed INTEGER NOT NULL
) STRICT;`

	activityTable3 = `CREATE TABLE activity (
    id         INTEGER PRIMARY KEY,
    at         INTEGER NOT NULL,
    event      TEXT    NOT NULL, -- OWASP's logging vocabulary: authn_login_success, …
    ok         INTEGER NOT NULL CHECK (ok IN (0, 1)),
    actor_kind TEXT    NOT NULL CHECK (actor_kind IN ('person', 'machine', 'stranger')), -- who did it: somebody with an account, a command on the machine, or whoever was not signed in
    actor_id   INTEGER REFERENCES person (id), -- which person
    actor      TEXT    NOT NULL DEFAULT '',    -- who, where it is no person: "os:root", or the keyed hash of an unknown name
    subject_id INTEGER REFERENCES person (id), -- about whom, if anybody
    method     TEXT    NOT NULL DEFAULT '',    -- password, totp, recovery, link, …
    detail     TEXT    NOT NULL DEFAULT '',    -- what exactly, in a word: a role, a setting
    address    TEXT    NOT NULL DEFAULT '',
    CHECK ((actor_kind = 'person') = (actor_id IS NOT NULL)),
    CHECK (actor_kind <> 'machine' OR actor <> '')
) STRICT;`

	personTable3 = `CREATE TABLE person (
    id                  INTEGER PRIMARY KEY,
    email               TEXT    NOT NULL UNIQUE, -- the sign-in name, in lower case, its domain in punycode (account.NormalizeEmail); "removed:7" once the person is removed
    name                TEXT    NOT NULL, -- '' once the person is removed
    sort_key            TEXT    NOT NULL, -- what lists are ordered by: the name's words as they are searched for (account.SortKey)
    role                TEXT    NOT NULL CHECK (role IN ('member', 'administrator', 'it-administrator', 'super-administrator')),
    active              INTEGER NOT NULL DEFAULT 1 CHECK (active IN (0, 1)),
    password_hash       TEXT    NOT NULL DEFAULT '', -- argon2id as a PHC string; '' until an invitation is taken up
    password_changed_at INTEGER,
    made_at             INTEGER NOT NULL,
    last_sign_in_at     INTEGER,
    enrolled            INTEGER NOT NULL DEFAULT 0 CHECK (enrolled IN (0, 1)), -- has an enabled enrolment; this and the next two are kept by the code that writes enrolments and codes, so that lists read nothing else
    enrolled_at         INTEGER, -- when that was confirmed; NULL without one
    unused_codes        INTEGER NOT NULL DEFAULT 0, -- the numbers of the unused recovery codes as bits
    removed_at          INTEGER, -- NULL while the account is there; no page and no sign-in finds a removed one
    CHECK (removed_at IS NULL OR active = 0)
) STRICT;`

	personWordTable3 = `CREATE TABLE person_word (
    word      TEXT    NOT NULL,
    sort_key  TEXT    NOT NULL, -- the person's, so that those who share a word come in the order of lists
    person_id INTEGER NOT NULL REFERENCES person (id),
    PRIMARY KEY (word, sort_key, person_id)
) STRICT, WITHOUT ROWID;`
)

// previousName returns the name of the copy that is made before an upgrade.
func previousName(path string, version int) string { return fmt.Sprintf("%s.schema-%d", path, version) }

// upgrade upgrades an older file: a copy of it where one is wanted, then every step in
// one transaction. Interrupted anywhere, it leaves the file as it was, and the next start
// tries again.
func upgrade(ctx context.Context, path string, version int, allowed bool, steps []migration,
	copyName func(path string, version int) string) (err error) {
	if !allowed {
		return fmt.Errorf("%s was written by an older Gatehouse (schema %d, this one uses %d); start the server with this version first, which copies the file aside and upgrades it", path, version, len(steps)+1)
	}
	kept := ""
	if copyName != nil {
		if kept, err = copyAside(ctx, path, copyName(path, version)); err != nil {
			return fmt.Errorf("copying the database aside before its upgrade: %w", err)
		}
	}
	file, err := engine.OpenFile(path, "rw",
		"synchronous(FULL)",
		"foreign_keys(OFF)", // recreating a table must not delete the rows that refer to it
		"trusted_schema(OFF)",
		"secure_delete(ON)")
	if err != nil {
		return err
	}
	file.SetMaxOpenConns(1)
	if err := errors.Join(migrate(ctx, file, steps), file.Close()); err != nil {
		if kept != "" { // the file is as it was, and each start that fails would leave a copy
			err = errors.Join(err, os.Remove(kept))
		}
		return err
	}
	return nil
}

// copyAside copies the database to a name, or to that name with a number when an
// upgrade that was cut off has left a copy there. It gives the name.
func copyAside(ctx context.Context, path, aside string) (string, error) {
	name, err := files.FreeName(aside)
	if err != nil {
		return "", err
	}
	return name, files.CopyDatabase(ctx, path, name)
}

// migrate runs the steps that a file lacks, in one transaction.
func migrate(ctx context.Context, file *sql.DB, steps []migration) (err error) {
	conn, err := file.Conn(ctx)
	if err != nil {
		return fmt.Errorf("opening the database for its upgrade: %w", err)
	}
	defer conn.Close()
	if _, err := conn.ExecContext(ctx, `BEGIN IMMEDIATE`); err != nil {
		return fmt.Errorf("beginning the upgrade: %w", err)
	}
	defer func() {
		if err != nil {
			_, _ = conn.ExecContext(context.WithoutCancel(ctx), `ROLLBACK`)
		}
	}()
	var version int
	if err := conn.QueryRowContext(ctx, `PRAGMA user_version`).
		Scan(&version); err != nil { // again: nobody else can be upgrading now
		return fmt.Errorf("reading the schema's version: %w", err)
	}
	for ; version <= len(steps); version++ {
		if err := steps[version-1].run(ctx, conn); err != nil {
			return fmt.Errorf("upgrading from schema %d: %w; the database is as it was", version, err)
		}
	}
	if err := files.CheckReferences(ctx, conn); err != nil {
		return err
	}
	if err := noteSchema(ctx, conn, version); err != nil {
		return fmt.Errorf("noting the schema's version: %w", err)
	}
	if _, err := conn.ExecContext(ctx, fmt.Sprintf(`PRAGMA user_version = %d`, version)); err != nil {
		return fmt.Errorf("noting the schema's version: %w", err)
	}
	if _, err := conn.ExecContext(ctx, `COMMIT`); err != nil {
		return fmt.Errorf("committing the upgrade: %w", err)
	}
	return nil
}

// run takes one step.
func (m migration) run(ctx context.Context, c *sql.Conn) error {
	if _, err := c.ExecContext(ctx, m.sql); err != nil {
		return err
	}
	if m.inGo == nil {
		return nil
	}
	return m.inGo(ctx, c)
}
