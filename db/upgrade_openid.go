package db

// openIDTables9 are the tables that step 9 makes, as in schema.sql.
const openIDTables9 = `-- How an app speaks OpenID Connect. Only connected apps have a row, and those that were.
CREATE TABLE app_client (
    app_id             INTEGER PRIMARY KEY REFERENCES app (id) ON DELETE CASCADE,
    client_id          TEXT    NOT NULL UNIQUE, -- random
    secret_hash        BLOB, -- SHA-256 of 256 random bits; NULL for an app that keeps no secret
    secret_made_at     INTEGER,
    former_secret_hash BLOB, -- the one before, which works until another is made
    kind               TEXT    NOT NULL CHECK (kind IN ('web', 'native')),
    redirects          TEXT    NOT NULL, -- where it may be answered, one a line
    logout_redirects   TEXT    NOT NULL, -- where it may send people after a sign-out, one a line
    backchannel        TEXT    NOT NULL, -- where it is told of sign-outs; '' for nowhere
    no_pkce            INTEGER NOT NULL DEFAULT 0 CHECK (no_pkce IN (0, 1)), -- an admin has excused it
    algorithm          TEXT    NOT NULL CHECK (algorithm IN ('RS256', 'ES256'))
) STRICT;

-- The keys that sign what connected apps are told.
CREATE TABLE signing_key (
    id          TEXT    PRIMARY KEY, -- its kid
    algorithm   TEXT    NOT NULL CHECK (algorithm IN ('RS256', 'ES256')),
    private_key BLOB    NOT NULL, -- sealed, bound to id and algorithm
    public_key  TEXT    NOT NULL, -- a JSON Web Key
    used_from   INTEGER NOT NULL, -- a day after it was made, but for the first
    ends_at     INTEGER -- from when on it is published no more; NULL for the newest
) STRICT, WITHOUT ROWID;
CREATE INDEX signing_key_by_algorithm ON signing_key (algorithm, used_from);

-- What a sign-in at a connected app has led to: a code, and the tokens that it was
-- exchanged for.
CREATE TABLE app_grant (
    id_hash             BLOB    PRIMARY KEY, -- SHA-256 of the code
    app_id              INTEGER NOT NULL REFERENCES app (id) ON DELETE CASCADE,
    person_id           INTEGER NOT NULL REFERENCES person (id),
    session_handle      TEXT    REFERENCES session (handle) ON DELETE CASCADE, -- NULL once it is for offline use: it outlives the session
    sid                 TEXT    NOT NULL, -- the session's handle, as the app is told it
    redirect            TEXT    NOT NULL, -- where the code was sent
    challenge           TEXT    NOT NULL, -- PKCE's; '' without one
    nonce               TEXT    NOT NULL,
    scopes              TEXT    NOT NULL,
    methods             TEXT    NOT NULL, -- how they had signed in, as amr says it
    authenticated_at    INTEGER NOT NULL, -- when the password was given
    made_at             INTEGER NOT NULL,
    used_at             INTEGER, -- when the code was exchanged
    family_hash         BLOB    UNIQUE, -- of what all refresh tokens of this grant begin with; NULL without one
    refresh_hash        BLOB, -- of the one that is valid
    former_refresh_hash BLOB, -- of the one before
    refreshed_at        INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX app_grant_by_session ON app_grant (session_handle);
CREATE INDEX app_grant_by_person ON app_grant (person_id, app_id);
CREATE INDEX app_grant_by_app ON app_grant (app_id);
CREATE INDEX app_grant_by_age ON app_grant (made_at);

CREATE TABLE access_token (
    token_hash     BLOB    PRIMARY KEY,
    grant_hash     BLOB    NOT NULL REFERENCES app_grant (id_hash) ON DELETE CASCADE,
    session_handle TEXT    REFERENCES session (handle) ON DELETE CASCADE, -- NULL after a refresh
    scopes         TEXT    NOT NULL,
    expires_at     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX access_token_by_grant ON access_token (grant_hash);
CREATE INDEX access_token_by_session ON access_token (session_handle);
CREATE INDEX access_token_expiry ON access_token (expires_at);

-- What somebody has agreed that an app may know, where the app is not the workspace's own.
CREATE TABLE app_consent (
    person_id INTEGER NOT NULL REFERENCES person (id),
    app_id    INTEGER NOT NULL REFERENCES app (id) ON DELETE CASCADE,
    scopes    TEXT    NOT NULL,
    agreed_at INTEGER NOT NULL,
    PRIMARY KEY (person_id, app_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX app_consent_by_app ON app_consent (app_id);

-- Where a session has signed in by OpenID Connect. The end of the session takes its handle
-- out, in the same transaction whatever it was: then the app is to be told.
CREATE TABLE connected_session (
    sid            TEXT    NOT NULL,
    app_id         INTEGER NOT NULL REFERENCES app (id) ON DELETE CASCADE,
    person_id      INTEGER NOT NULL REFERENCES person (id),
    session_handle TEXT    REFERENCES session (handle) ON DELETE SET NULL,
    signed_in_at   INTEGER NOT NULL, -- last
    expired        INTEGER NOT NULL DEFAULT 0 CHECK (expired IN (0, 1)), -- the session ran out by itself: the app is not told of that
    tries          INTEGER NOT NULL DEFAULT 0, -- how often the app was called in vain
    try_at         INTEGER NOT NULL DEFAULT 0, -- when it is called next
    PRIMARY KEY (sid, app_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX connected_session_by_session ON connected_session (session_handle, expired, try_at); -- the end of a session looks here, and so does who tells the apps
CREATE INDEX connected_session_by_person ON connected_session (person_id, app_id);
CREATE INDEX connected_session_by_app ON connected_session (app_id);
CREATE INDEX connected_session_by_age ON connected_session (signed_in_at);`
