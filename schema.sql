-- The whole memory of a workspace, on one page.
--
-- Instants are unix seconds in UTC. Identifiers that a browser holds are stored
-- as their SHA-256 only, so that a stolen database signs nobody in. What is
-- called sealed is encrypted with XChaCha20-Poly1305 under the key file.
-- STRICT, the PRAGMAs, the partial indexes and the triggers are SQLite's own;
-- the rest is plain SQL.

PRAGMA application_id = 1197569128; -- "Gath"
PRAGMA user_version = 11;

-- One installation serves one workspace: exactly one row.
CREATE TABLE workspace (
    id               INTEGER PRIMARY KEY CHECK (id = 1),
    name             TEXT    NOT NULL,
    require_everyone INTEGER NOT NULL DEFAULT 0 CHECK (require_everyone IN (0, 1)),
    require_admins   INTEGER NOT NULL DEFAULT 0 CHECK (require_admins IN (0, 1)),
    key_id           BLOB    NOT NULL, -- which key file seals; a running server reads the file anew when this changes
    lookup_key       BLOB    NOT NULL, -- sealed; keys the hashes of recovery codes and of unknown names. Opening it at start proves the key file
    made_at          INTEGER NOT NULL,
    schema           INTEGER NOT NULL DEFAULT 0, -- the version of this page; user_version on SQLite
    oldest           INTEGER NOT NULL DEFAULT 0, -- a program that knows no schema as new as this does not serve it
    moved_at         INTEGER, -- when it was moved to another database, and was not to be served here any more
    passkey_domain   TEXT    NOT NULL DEFAULT '', -- WebAuthn's RP id of the server that ran last; '' before, and where passkeys cannot work
    everyone_from    INTEGER, -- when require_everyone turns on by itself; NULL for never
    admins_from      INTEGER,
    remind_at        INTEGER, -- from when on those who are not ready for that are to be reminded; NULL when nobody is
    reminded_at      INTEGER, -- which occasion to remind people all have been reminded of
    mail_from        TEXT    NOT NULL DEFAULT '', -- the address that mails come from; '' while no mail server is set
    backed_up_at     INTEGER, -- when gatehouse backup has made a copy last, or was told of one
    base_url         TEXT    NOT NULL DEFAULT '', -- of the server that ran last; '' for whatever name was used
    former_base_url  TEXT    NOT NULL DEFAULT '', -- the one before
    base_url_at      INTEGER, -- since when it is another one
    session_idle     INTEGER, -- how long a session lasts without a request, in seconds; NULL for the default
    session_max      INTEGER -- how long at most; both or neither
) STRICT;

-- Who serves a workspace on PostgreSQL: a row for each process, written every ten seconds
-- and deleted when it stops. SQLite has one process, and no rows here.
CREATE TABLE node (
    id          TEXT    PRIMARY KEY, -- random, another one after each start
    name        TEXT    NOT NULL, -- the machine's, and where it listens
    version     TEXT    NOT NULL, -- of the program
    schema      INTEGER NOT NULL, -- the newest that it knows
    key_id      BLOB    NOT NULL, -- which key file it has
    next_key_id BLOB, -- which key file it has for the next rotation; NULL for none
    ahead       INTEGER NOT NULL, -- by how many milliseconds its clock is ahead of the database's
    started_at  INTEGER NOT NULL,
    seen_at     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Whoever is removed stays as an empty, hidden row: the activity refers to it.
CREATE TABLE person (
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
    enrolled            INTEGER NOT NULL DEFAULT 0 CHECK (enrolled IN (0, 1)), -- has a factor: an enabled enrolment or a passkey; this and the next two are kept by the code that writes factors and codes, so that lists read nothing else
    enrolled_at         INTEGER, -- when the oldest factor was confirmed; NULL without one
    unused_codes        INTEGER NOT NULL DEFAULT 0, -- the numbers of the unused recovery codes as bits
    removed_at          INTEGER, -- NULL while the account is there; no page and no sign-in finds a removed one
    user_name           TEXT    NOT NULL DEFAULT '', -- by which apps know them: a-z0-9._-; '' once the person is removed
    sub                 TEXT    NOT NULL DEFAULT '', -- random and constant: by which connected apps know them
    user_handle         BLOB, -- 32 random bytes that authenticators know them by; NULL once the person is removed
    enrolled_here       INTEGER NOT NULL DEFAULT 0 CHECK (enrolled_here IN (0, 1)), -- has a factor that works at today's address; kept like enrolled
    sign_in_mails       INTEGER NOT NULL DEFAULT 1 CHECK (sign_in_mails IN (0, 1)), -- wants to hear of sign-ins with new browsers
    later_until         INTEGER, -- until when they do not want to hear of a policy that is to come
    reminded_at         INTEGER NOT NULL DEFAULT 0, -- the occasion for which they were reminded of that policy
    closed_at           INTEGER, -- since when nobody signs in, because of "This wasn't me"; NULL while open
    closed_email        TEXT    NOT NULL DEFAULT '', -- where the links go that open it again
    suspect_from        INTEGER, -- factors that were added between these two instants are switched off
    suspect_until       INTEGER,
    CHECK (removed_at IS NULL OR active = 0)
) STRICT;
CREATE INDEX person_by_sort_key ON person (sort_key, id) WHERE removed_at IS NULL;
CREATE INDEX person_not_enrolled ON person (sort_key, id) WHERE active = TRUE AND enrolled_here = FALSE;
CREATE INDEX person_to_remind ON person (reminded_at) WHERE active = TRUE AND enrolled_here = FALSE;
CREATE INDEX person_left ON person (id) WHERE active = TRUE AND enrolled = TRUE AND enrolled_here = FALSE;
CREATE UNIQUE INDEX person_by_user_handle ON person (user_handle);
CREATE INDEX person_kinds ON person (role, enrolled, (CASE WHEN active = FALSE THEN 2 WHEN password_hash = '' THEN 1 ELSE 0 END), sort_key, id) WHERE removed_at IS NULL; -- for lists that are filtered: each kind in the order of names
CREATE INDEX person_kinds_by_sign_in ON person (role, enrolled, (CASE WHEN active = FALSE THEN 2 WHEN password_hash = '' THEN 1 ELSE 0 END), last_sign_in_at, id) WHERE removed_at IS NULL;
CREATE INDEX person_admins ON person (role, active) WHERE role <> 'member';
CREATE UNIQUE INDEX person_by_user_name ON person (user_name) WHERE user_name <> '';
CREATE UNIQUE INDEX person_by_sub ON person (sub) WHERE sub <> '';

-- What people are found by: every ending of every word of their name and address, as
-- account.Endings gives them. The words of a search are looked for as beginnings of
-- these, which finds any part of a word.
CREATE TABLE person_word (
    word      TEXT    NOT NULL,
    sort_key  TEXT    NOT NULL, -- the person's, so that those who share a word come in the order of lists
    person_id INTEGER NOT NULL REFERENCES person (id),
    PRIMARY KEY (word, sort_key, person_id)
) STRICT, WITHOUT ROWID;

-- Links that work once: the first set-up, invitations and password links.
CREATE TABLE link (
    token_hash BLOB    PRIMARY KEY,
    kind       TEXT    NOT NULL CHECK (kind IN ('setup', 'invitation', 'password')),
    person_id  INTEGER REFERENCES person (id), -- NULL for the set-up link only
    made_at    INTEGER NOT NULL,
    expires_at INTEGER, -- NULL: the set-up link, which ends with the first person
    CHECK ((kind = 'setup') = (person_id IS NULL)),
    CHECK ((kind = 'setup') = (expires_at IS NULL))
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX link_by_person ON link (person_id) WHERE person_id IS NOT NULL; -- a new link ends the one before
CREATE INDEX link_expiry ON link (expires_at);
CREATE INDEX link_setup ON link (kind) WHERE kind = 'setup'; -- adding a person ends it

-- Links that were mailed, of which a person may have several: to choose a forgotten
-- password anew, and to say "This wasn't me".
CREATE TABLE mailed_link (
    token_hash  BLOB    PRIMARY KEY,
    kind        TEXT    NOT NULL CHECK (kind IN ('forgot', 'not-me')),
    person_id   INTEGER NOT NULL REFERENCES person (id),
    event       TEXT    NOT NULL, -- of not-me: what the mail told of
    email       TEXT    NOT NULL, -- of not-me: the person's address before that; where their next password link goes
    occasion_at INTEGER NOT NULL, -- of not-me: when that was; factors that were added since then are switched off
    made_at     INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX mailed_link_by_person ON mailed_link (person_id, kind);
CREATE INDEX mailed_link_expiry ON mailed_link (expires_at);

-- Somebody who is signed in with one browser.
CREATE TABLE session (
    id_hash             BLOB    PRIMARY KEY,
    handle              TEXT    NOT NULL UNIQUE, -- random; names the session in the list of one's own and in forms, and is kept when the id changes; worth nothing as a cookie
    person_id           INTEGER NOT NULL REFERENCES person (id),
    started_at          INTEGER NOT NULL,
    authenticated_at    INTEGER NOT NULL, -- in milliseconds: when the password, or a passkey that verified its owner, was last given
    seen_at             INTEGER NOT NULL, -- written at most once a minute
    previous_sign_in_at INTEGER,
    events_from         INTEGER NOT NULL, -- activity.id of the sign-in before: what happened since then is told in this session
    events_until        INTEGER NOT NULL, -- activity.id of this session's own sign-in: what happens from then on is told in the next
    browser             TEXT    NOT NULL, -- the User-Agent header, cut short
    address             TEXT    NOT NULL,
    methods             TEXT    NOT NULL DEFAULT 'pwd', -- how its owner proved who they are: words of RFC 8176, blanks between
    second_step_at      INTEGER -- when a second factor was last shown; NULL without one
) STRICT, WITHOUT ROWID;
CREATE INDEX session_by_person ON session (person_id, started_at);
CREATE INDEX session_by_seen ON session (seen_at);

-- Password accepted, second step outstanding. Not a session.
CREATE TABLE challenge (
    id_hash     BLOB    PRIMARY KEY,
    handle      TEXT    NOT NULL UNIQUE, -- as in session, which takes it over
    person_id   INTEGER NOT NULL REFERENCES person (id),
    known       INTEGER NOT NULL CHECK (known IN (0, 1)), -- opened from a known browser: others do not crowd it out
    wrong_codes INTEGER NOT NULL DEFAULT 0,
    next        TEXT    NOT NULL, -- where to go afterwards; '' for the portal
    made_at     INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL,
    authenticated_at INTEGER NOT NULL DEFAULT 0 -- in milliseconds: when the password was given
) STRICT, WITHOUT ROWID;
CREATE INDEX challenge_by_person ON challenge (person_id);
CREATE INDEX challenge_expiry ON challenge (expires_at);

-- A browser with which one person completed a sign-in. It skips no step; strangers cannot lock it out.
CREATE TABLE known_browser (
    token_hash  BLOB    PRIMARY KEY,
    handle      TEXT    NOT NULL, -- random; names the browser in the list of one's own; worth nothing as a cookie
    person_id   INTEGER NOT NULL REFERENCES person (id),
    wrong_codes INTEGER NOT NULL DEFAULT 0, -- in a row, from this browser
    browser     TEXT    NOT NULL, -- the User-Agent header of the last sign-in, cut short
    address     TEXT    NOT NULL, -- of the last sign-in
    made_at     INTEGER NOT NULL, -- when it signed in first
    seen_at     INTEGER NOT NULL, -- when it signed in last
    expires_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX known_browser_by_person ON known_browser (person_id, expires_at);

-- The authenticator app. Pending rows belong to the session that minted them
-- and go with it; a person has at most one enabled row.
CREATE TABLE enrollment (
    id           BLOB    PRIMARY KEY, -- random; part of what the seal is bound to
    person_id    INTEGER NOT NULL REFERENCES person (id),
    state        TEXT    NOT NULL CHECK (state IN ('pending', 'enabled')),
    session_hash BLOB    REFERENCES session (id_hash) ON DELETE CASCADE ON UPDATE CASCADE,
    secret       BLOB    NOT NULL, -- sealed, bound to person, id and state
    wrong_codes  INTEGER NOT NULL DEFAULT 0,
    expires_at   INTEGER, -- pending only
    confirmed_at INTEGER, -- enabled only
    last_step    INTEGER NOT NULL DEFAULT 0, -- RFC 6238's T of the newest accepted code: each step counts once
    CHECK ((state = 'pending') = (session_hash IS NOT NULL)),
    CHECK ((state = 'pending') = (expires_at IS NOT NULL)),
    CHECK ((state = 'enabled') = (confirmed_at IS NOT NULL))
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX enrollment_enabled ON enrollment (person_id) WHERE state = 'enabled';
CREATE UNIQUE INDEX enrollment_pending ON enrollment (session_hash); -- not partial: ending a session looks here
CREATE INDEX enrollment_expiry ON enrollment (expires_at) WHERE state = 'pending';

-- The one sheet of recovery codes of somebody who has a factor.
CREATE TABLE recovery_sheet (
    person_id  INTEGER PRIMARY KEY REFERENCES person (id),
    sheet      TEXT    NOT NULL, -- its short name on paper: K7
    salt       BLOB    NOT NULL, -- of the slow hash, shared by the sheet so that an attempt costs one
    made_at    INTEGER NOT NULL,
    checked_at INTEGER NOT NULL, -- when one of its codes was last used or checked; made_at before that
    asked_at   INTEGER -- when its owner was last asked whether they still have it
) STRICT;

CREATE TABLE recovery_code (
    person_id INTEGER NOT NULL REFERENCES recovery_sheet (person_id) ON DELETE CASCADE,
    number    INTEGER NOT NULL CHECK (number BETWEEN 0 AND 7),
    salt      BLOB    NOT NULL,
    hash      BLOB    NOT NULL, -- HMAC-SHA-256 under lookup_key of sheet, number, salt and argon2id(code)
    used_at   INTEGER,
    PRIMARY KEY (person_id, number)
) STRICT, WITHOUT ROWID;

-- Passkeys and security keys: WebAuthn credentials. Nothing here is secret.
CREATE TABLE passkey (
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

-- What a browser was asked for a passkey for. Each is answered once, right or wrong. A
-- sign-in's is stored only once it has led to a session, so that it does not again.
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
CREATE INDEX ceremony_expiry ON ceremony (expires_at);

-- Wrong answers in a row, per person or keyed hash of an unknown name.
CREATE TABLE attempt (
    kind    TEXT    NOT NULL CHECK (kind IN ('code', 'recovery', 'password', 'password-known')),
    subject TEXT    NOT NULL, -- a person's id, the beginning of a keyed hash, or id and browser hash or session
    n       INTEGER NOT NULL, -- wrong answers
    last_at INTEGER NOT NULL, -- of the last wrong answer
    open    INTEGER NOT NULL, -- attempts that are being looked at; they count as wrong meanwhile
    open_at INTEGER NOT NULL, -- of the newest of them
    PRIMARY KEY (kind, subject)
) STRICT, WITHOUT ROWID;
CREATE INDEX attempt_age ON attempt (last_at);

-- Failed sign-ins with names that nobody has, within an hour; at most one row. The first
-- few stand in the activity each, the others in one row when the hour is over.
CREATE TABLE unknown_name (
    hour   INTEGER PRIMARY KEY, -- when it began
    failed INTEGER NOT NULL
) STRICT;

-- Attempts per client network: a leaking bucket for each IPv4 address or IPv6 /64.
CREATE TABLE address_attempt (
    address TEXT    PRIMARY KEY,
    level   REAL    NOT NULL,
    at      INTEGER NOT NULL -- in milliseconds: the bucket leaks faster than a second
) STRICT, WITHOUT ROWID;
CREATE INDEX address_attempt_age ON address_attempt (at);

-- What happened, written in the transaction that did it. Append only, but for what
-- gatehouse activity prune deletes. Never a secret.
CREATE TABLE activity (
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
) STRICT;
CREATE INDEX activity_by_at ON activity (at, id);
CREATE INDEX activity_by_subject ON activity (subject_id, at, id);
CREATE INDEX activity_by_actor ON activity (actor_id, at, id) WHERE actor_id IS DISTINCT FROM subject_id; -- what people do to themselves stands under the subject
CREATE INDEX activity_by_event ON activity (event, at, id);
CREATE TRIGGER activity_keeps BEFORE UPDATE ON activity BEGIN SELECT RAISE(ABORT, 'activity is append only'); END;
CREATE TRIGGER activity_stays BEFORE DELETE ON activity BEGIN SELECT RAISE(ABORT, 'activity is append only'); END;

-- Sentences that every admin sees until one of them dismisses it: break-glass.
CREATE TABLE notice (
    id           INTEGER PRIMARY KEY,
    activity_id  INTEGER NOT NULL REFERENCES activity (id),
    dismissed_at INTEGER,
    dismissed_by INTEGER REFERENCES person (id)
) STRICT;
CREATE INDEX notice_by_activity ON notice (activity_id); -- pruning looks here
CREATE INDEX notice_open ON notice (id) WHERE dismissed_at IS NULL;

-- Every user name that somebody has or had. One that was given is never given to somebody
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
    made_at       INTEGER NOT NULL,
    reached_at    INTEGER -- when somebody came through its proxy for the first time; NULL before
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
) STRICT;

-- How an app speaks OpenID Connect. Only connected apps have a row, and those that were.
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
CREATE INDEX connected_session_by_age ON connected_session (signed_in_at);

-- Mails: those that wait, and those that were sent or given up of late. A row is written in
-- the transaction of what it tells.
CREATE TABLE outbox (
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
) STRICT;
CREATE INDEX outbox_by_state ON outbox (state, next_at, id);
CREATE INDEX outbox_by_person ON outbox (person_id, made_at);
CREATE INDEX outbox_by_activity ON outbox (activity_id); -- pruning looks here
CREATE INDEX outbox_done ON outbox (done_at);

-- What was counted by the day, for the administrators' overview. It is written in the transaction
-- of what it counts.
CREATE TABLE tally (
    day   INTEGER NOT NULL, -- since 1 January 1970, in UTC
    what  TEXT    NOT NULL, -- sign-in, sign-in-refused, app-opened, app-refused; enrolled and people are what there was at its end, and what there is now for day 0
    shard INTEGER NOT NULL, -- 0 to 15, by whom it is about: on a server those who sign in at once write several rows
    n     INTEGER NOT NULL,
    PRIMARY KEY (day, what, shard)
) STRICT, WITHOUT ROWID;
