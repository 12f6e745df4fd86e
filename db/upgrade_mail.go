package db

// mailStep leads to schema 8: mails wait in an outbox, links that were mailed are rows of
// their own, the policy may turn on by itself, and an account can be closed from a mail.
// The tables are letter for letter as in schema.sql.
const mailStep = `ALTER TABLE workspace ADD COLUMN everyone_from INTEGER;
	ALTER TABLE workspace ADD COLUMN admins_from INTEGER;
	ALTER TABLE workspace ADD COLUMN remind_at INTEGER;
	ALTER TABLE workspace ADD COLUMN reminded_at INTEGER;
	ALTER TABLE workspace ADD COLUMN mail_from TEXT NOT NULL DEFAULT '';
	ALTER TABLE person ADD COLUMN sign_in_mails INTEGER NOT NULL DEFAULT 1 CHECK (sign_in_mails IN (0, 1));
	ALTER TABLE person ADD COLUMN later_until INTEGER;
	ALTER TABLE person ADD COLUMN reminded_at INTEGER NOT NULL DEFAULT 0;
	ALTER TABLE person ADD COLUMN closed_at INTEGER;
	ALTER TABLE person ADD COLUMN closed_email TEXT NOT NULL DEFAULT '';
	ALTER TABLE person ADD COLUMN suspect_from INTEGER;
	ALTER TABLE person ADD COLUMN suspect_until INTEGER;
	CREATE INDEX person_to_remind ON person (reminded_at) WHERE active = TRUE AND enrolled_here = FALSE;
	` + mailedLinkTable8 + `
	CREATE INDEX mailed_link_by_person ON mailed_link (person_id, kind);
	CREATE INDEX mailed_link_expiry ON mailed_link (expires_at);
	` + outboxTable8 + `
	CREATE INDEX outbox_by_state ON outbox (state, next_at, id);
	CREATE INDEX outbox_by_person ON outbox (person_id, made_at);
	CREATE INDEX outbox_by_activity ON outbox (activity_id);
	CREATE INDEX outbox_done ON outbox (done_at);`

const (
	mailedLinkTable8 = `CREATE TABLE mailed_link (
    token_hash  BLOB    PRIMARY KEY,
    kind        TEXT    NOT NULL CHECK (kind IN ('forgot', 'not-me')),
    person_id   INTEGER NOT NULL REFERENCES person (id),
    event       TEXT    NOT NULL, -- of not-me: what the mail told of
    email       TEXT    NOT NULL, -- of not-me: the person's address before that; where their next password link goes
    occasion_at INTEGER NOT NULL, -- of not-me: when that was; factors that were added since then are switched off
    made_at     INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;`

	outboxTable8 = `CREATE TABLE outbox (
    id            INTEGER PRIMARY KEY,
    message_id    TEXT    NOT NULL UNIQUE, -- of the header, without its brackets: the same however often it is sent
    kind          TEXT    NOT NULL, -- which mail: a word that package views has the text of
    person_id     INTEGER NOT NULL REFERENCES person (id), -- to whom
    email         TEXT    NOT NULL, -- at which address
    activity_id   INTEGER REFERENCES activity (id), -- what it tells of, if anything
    detail        TEXT    NOT NULL DEFAULT '', -- what activity does not hold: a browser, an address, an instant
    secret        BLOB, -- sealed: the token of its link; NULL when it has none, and once it is done
    made_at       INTEGER NOT NULL,
    useless_at    INTEGER, -- when its link ends; from then on it is not sent
    state         TEXT    NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'sent', 'given-up')),
    tries         INTEGER NOT NULL DEFAULT 0, -- that failed
    next_at       INTEGER NOT NULL, -- when it is tried next
    claim         TEXT    NOT NULL DEFAULT '', -- random: which sender has it
    claimed_until INTEGER NOT NULL DEFAULT 0, -- from then on another may take it
    done_at       INTEGER, -- when it was sent or given up
    answer        TEXT    NOT NULL DEFAULT '', -- what the server said last, or why it was given up
    CHECK ((state = 'waiting') = (done_at IS NULL)),
    CHECK (state = 'waiting' OR secret IS NULL)
) STRICT;`
)
