package db

import (
	"context"
	"database/sql"
	"fmt"
)

// appTables5 are the tables that step 5 makes, as in schema.sql.
const appTables5 = `-- Every user name that somebody has or had. One that was given is never given to somebody
-- else: apps know people by it.
CREATE TABLE user_name (
    name      TEXT    PRIMARY KEY,
    person_id INTEGER NOT NULL REFERENCES person (id)
) STRICT, WITHOUT ROWID;
CREATE INDEX user_name_by_person ON user_name (person_id);

-- Groups of people, by which apps say who may open them, and of which apps are told.
CREATE TABLE people_group (
    id      INTEGER PRIMARY KEY,
    name    TEXT    NOT NULL UNIQUE, -- a-z0-9._-
    made_at INTEGER NOT NULL
) STRICT;

CREATE TABLE group_member (
    group_id  INTEGER NOT NULL REFERENCES people_group (id) ON DELETE CASCADE,
    person_id INTEGER NOT NULL REFERENCES person (id),
    PRIMARY KEY (group_id, person_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX group_member_by_person ON group_member (person_id, group_id);

-- What a group was called before. No other group gets the name while an app refers to this one.
CREATE TABLE former_group_name (
    name     TEXT    PRIMARY KEY,
    group_id INTEGER NOT NULL REFERENCES people_group (id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX former_group_name_by_group ON former_group_name (group_id);

-- The web apps that the workspace opens.
CREATE TABLE app (
    id            INTEGER PRIMARY KEY,
    slug          TEXT    NOT NULL UNIQUE, -- names it in /enter/{app}: made from its first name, and constant
    name          TEXT    NOT NULL UNIQUE,
    sort_key      TEXT    NOT NULL, -- as in person
    scheme        TEXT    NOT NULL CHECK (scheme IN ('https', 'http')),
    host          TEXT    NOT NULL UNIQUE, -- the name alone, in its one spelling (apps.CanonicalHost): cookies know no ports
    port          TEXT    NOT NULL DEFAULT '', -- '' for the scheme's default
    mark          TEXT    NOT NULL, -- one or two letters
    icon          TEXT    NOT NULL DEFAULT '', -- the beginning of the hash of its picture; '' without one
    guarded       INTEGER NOT NULL DEFAULT 0 CHECK (guarded IN (0, 1)), -- a proxy asks before each request
    connected     INTEGER NOT NULL DEFAULT 0 CHECK (connected IN (0, 1)), -- it asks by OpenID Connect
    ours          INTEGER NOT NULL DEFAULT 1 CHECK (ours IN (0, 1)), -- nobody is asked for consent
    paused        INTEGER NOT NULL DEFAULT 0 CHECK (paused IN (0, 1)),
    everyone      INTEGER NOT NULL DEFAULT 0 CHECK (everyone IN (0, 1)), -- may open it; else whoever app_role, app_group and app_person name
    second_step   INTEGER NOT NULL DEFAULT 0 CHECK (second_step IN (0, 1)), -- nobody opens it without one
    fresh_minutes INTEGER NOT NULL DEFAULT 0, -- how old the password may be; 0 for any age
    public_paths  TEXT    NOT NULL DEFAULT '', -- that need no sign-in, one a line
    other_origins TEXT    NOT NULL DEFAULT '', -- that may send it forms and open WebSockets, one a line
    remote_user   TEXT    NOT NULL DEFAULT 'user-name' CHECK (remote_user IN ('user-name', 'e-mail')),
    watch_until   INTEGER, -- until when what its proxy asks is noted
    made_at       INTEGER NOT NULL
) STRICT;
CREATE INDEX app_by_sort_key ON app (sort_key, id);
CREATE INDEX app_everyone ON app (id) WHERE everyone = TRUE; -- portals look here

CREATE TABLE app_role (
    app_id INTEGER NOT NULL REFERENCES app (id) ON DELETE CASCADE,
    role   TEXT    NOT NULL CHECK (role IN ('member', 'administrator', 'it-administrator', 'super-administrator')),
    PRIMARY KEY (app_id, role)
) STRICT, WITHOUT ROWID;
CREATE INDEX app_role_by_role ON app_role (role, app_id);

CREATE TABLE app_group (
    app_id   INTEGER NOT NULL REFERENCES app (id) ON DELETE CASCADE,
    group_id INTEGER NOT NULL REFERENCES people_group (id),
    PRIMARY KEY (app_id, group_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX app_group_by_group ON app_group (group_id);

CREATE TABLE app_person (
    app_id    INTEGER NOT NULL REFERENCES app (id) ON DELETE CASCADE,
    person_id INTEGER NOT NULL REFERENCES person (id),
    PRIMARY KEY (app_id, person_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX app_person_by_person ON app_person (person_id);

CREATE TABLE app_icon (
    app_id  INTEGER PRIMARY KEY REFERENCES app (id) ON DELETE CASCADE,
    kind    TEXT    NOT NULL CHECK (kind IN ('png', 'svg')),
    content TEXT    NOT NULL -- base64
) STRICT;

-- When somebody was noted in the activity as having opened an app, or as refused: once a
-- day, and once an hour.
CREATE TABLE app_noted (
    person_id    INTEGER NOT NULL REFERENCES person (id),
    app_id       INTEGER NOT NULL REFERENCES app (id) ON DELETE CASCADE,
    opened_day   INTEGER NOT NULL DEFAULT 0, -- unix days
    refused_hour INTEGER NOT NULL DEFAULT 0, -- unix hours
    PRIMARY KEY (person_id, app_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX app_noted_by_app ON app_noted (app_id);

-- The apps that somebody's portal has shown, so that it tells what is new and what is gone.
-- An app that is removed leaves its rows.
CREATE TABLE portal_app (
    person_id INTEGER NOT NULL REFERENCES person (id),
    app_id    INTEGER NOT NULL,
    name      TEXT    NOT NULL, -- as it was called then
    shown_at  INTEGER NOT NULL, -- when it was news; 0 for what was there at the first visit
    gone_at   INTEGER, -- when the portal found that they may not open it any more
    PRIMARY KEY (person_id, app_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX portal_app_by_app ON portal_app (app_id);
CREATE INDEX portal_app_gone ON portal_app (gone_at) WHERE gone_at IS NOT NULL; -- sweeping looks here

-- Somebody's session in a guarded app: a cookie of the app's own host. It hangs on the
-- portal's session, and ends with it.
CREATE TABLE app_session (
    id_hash        BLOB    PRIMARY KEY,
    app_id         INTEGER NOT NULL REFERENCES app (id) ON DELETE CASCADE,
    session_handle TEXT    NOT NULL REFERENCES session (handle) ON DELETE CASCADE,
    made_at        INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX app_session_by_session ON app_session (session_handle, app_id, made_at);
CREATE INDEX app_session_by_app ON app_session (app_id);

-- What carries a sign-in from the portal to an app's host: once, within 30 seconds.
CREATE TABLE ticket (
    id_hash        BLOB    PRIMARY KEY,
    app_id         INTEGER NOT NULL REFERENCES app (id) ON DELETE CASCADE,
    session_handle TEXT    NOT NULL REFERENCES session (handle) ON DELETE CASCADE,
    state_hash     BLOB    NOT NULL, -- of the cookie of the browser that it is for, on the app's host
    path           TEXT    NOT NULL, -- where to go on to there
    expires_at     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX ticket_by_session ON ticket (session_handle);
CREATE INDEX ticket_by_app ON ticket (app_id);
CREATE INDEX ticket_expiry ON ticket (expires_at);

-- The last request of which an app's proxy asked while somebody checked the app. No cookie, no query.
CREATE TABLE app_request (
    app_id  INTEGER PRIMARY KEY REFERENCES app (id) ON DELETE CASCADE,
    at      INTEGER NOT NULL,
    peer    TEXT    NOT NULL, -- the proxy's address
    family  TEXT    NOT NULL, -- of headers that say where the request was going; '' for none
    method  TEXT    NOT NULL,
    address TEXT    NOT NULL, -- where it was going
    status  INTEGER NOT NULL, -- that was answered
    fault   TEXT    NOT NULL  -- a word for what is wrong; '' for nothing
) STRICT;`

// fillUserNames gives everybody of an older file a user name and a sub.
func fillUserNames(ctx context.Context, c *sql.Conn) error {
	const batch = 1000
	for last, more := int64(0), true; more; {
		people, err := namesAfter(ctx, c, last, batch)
		if err != nil {
			return err
		}
		for _, p := range people {
			last = p.ID
			if err := fillUserNameOf(ctx, c, p); err != nil {
				return err
			}
		}
		more = len(people) == batch
	}
	return nil
}

// fillUserNameOf does it for one person. Somebody who was removed gets none.
func fillUserNameOf(ctx context.Context, c *sql.Conn, p Person) error {
	if p.Name == "" {
		return nil
	}
	name, err := freeUserName(p.Email, func(name string) (bool, error) {
		result, err := c.ExecContext(ctx, `INSERT INTO user_name (name, person_id) VALUES ($1, $2) ON CONFLICT DO NOTHING`,
			name, p.ID)
		if err != nil {
			return false, err
		}
		n, err := result.RowsAffected()
		return n == 1, err
	})
	if err == nil {
		_, err = c.ExecContext(ctx, `UPDATE person SET user_name = $1, sub = $2 WHERE id = $3`, name, newSub(), p.ID)
	}
	if err != nil {
		return fmt.Errorf("giving a user name: %w", err)
	}
	return nil
}
