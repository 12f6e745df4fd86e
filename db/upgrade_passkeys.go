package db

import (
	"context"
	"database/sql"
	"fmt"

	"gatehouse/passkeys"
)

// fillUserHandles gives everybody who has an account the handle that authenticators know
// them by.
func fillUserHandles(ctx context.Context, c *sql.Conn) error {
	const batch = 1000
	for last, more := int64(0), true; more; {
		ids, err := accountsAfter(ctx, c, last, batch)
		if err != nil {
			return err
		}
		for _, id := range ids {
			if _, err := c.ExecContext(ctx, `UPDATE person SET user_handle = $1 WHERE id = $2`,
				passkeys.NewUserHandle(), id); err != nil {
				return fmt.Errorf("giving a person a handle: %w", err)
			}
			last = id
		}
		more = len(ids) == batch
	}
	return nil
}

// accountsAfter reads the ids of the accounts after one, but for those that were removed.
func accountsAfter(ctx context.Context, c *sql.Conn, last int64, limit int) ([]int64, error) {
	rows, err := c.QueryContext(ctx, `SELECT id FROM person WHERE id > $1 AND removed_at IS NULL ORDER BY id LIMIT $2`,
		last, limit)
	if err != nil {
		return nil, fmt.Errorf("reading people: %w", err)
	}
	defer rows.Close()
	var ids []int64
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return nil, fmt.Errorf("reading a person: %w", err)
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}

// passkeyTables7 are the tables that step 7 adds, letter for letter as in schema.sql.
const passkeyTables7 = `CREATE TABLE passkey (
    id           BLOB    PRIMARY KEY, -- the credential's id, as the authenticator chose it; at most 1,023 bytes
    handle       TEXT    NOT NULL UNIQUE, -- random; names it in addresses
    person_id    INTEGER NOT NULL REFERENCES person (id),
    rp_id        TEXT    NOT NULL, -- the domain that it was made for; it works nowhere else
    name         TEXT    NOT NULL,
    public_key   BLOB    NOT NULL, -- COSE
    aaguid       BLOB    NOT NULL, -- the authenticator's model
    transports   TEXT    NOT NULL, -- usb, nfc, internal, …, with a space between them
    attachment   TEXT    NOT NULL,
    attestation  TEXT    NOT NULL, -- type and format
    flags        INTEGER NOT NULL, -- of the authenticator data: as registered, the backup flags as last seen
    sign_count   INTEGER NOT NULL, -- rises with every use, or stays 0
    discoverable INTEGER NOT NULL CHECK (discoverable IN (0, 1, 2)), -- signs in without a name: unsaid, no, yes
    made_at      INTEGER NOT NULL,
    used_at      INTEGER,
    mac          BLOB    NOT NULL -- keyed: binds id and key to the person and the domain
) STRICT, WITHOUT ROWID;
CREATE INDEX passkey_by_person ON passkey (person_id);

CREATE TABLE ceremony (
    challenge_hash BLOB    PRIMARY KEY, -- SHA-256 of the challenge
    purpose        TEXT    NOT NULL CHECK (purpose IN ('register', 'step-up', 'sign-in')),
    person_id      INTEGER REFERENCES person (id),
    session_hash   BLOB    REFERENCES session (id_hash) ON DELETE CASCADE ON UPDATE CASCADE,
    state          BLOB    NOT NULL, -- what verifying the answer takes
    expires_at     INTEGER NOT NULL,
    CHECK ((purpose = 'sign-in') = (session_hash IS NULL)),
    CHECK ((purpose = 'sign-in') = (person_id IS NULL))
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX ceremony_by_session ON ceremony (session_hash, purpose);
CREATE INDEX ceremony_by_person ON ceremony (person_id);
CREATE INDEX ceremony_expiry ON ceremony (expires_at);`
