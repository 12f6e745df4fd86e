package db

// factorsStep is step 6: a session says how its owner proved who they are, and recovery
// codes belong to a person, not to the authenticator app that they came with.
const factorsStep = `ALTER TABLE session ADD COLUMN methods             TEXT    NOT NULL DEFAULT 'pwd';
	ALTER TABLE session ADD COLUMN second_step_at      INTEGER;
	UPDATE session SET methods = 'pwd otp', second_step_at = started_at
		WHERE EXISTS (SELECT 1 FROM person p WHERE p.id = session.person_id AND p.enrolled = TRUE);
	UPDATE session SET authenticated_at = authenticated_at * 1000;
	ALTER TABLE challenge ADD COLUMN authenticated_at INTEGER NOT NULL DEFAULT 0;
	UPDATE challenge SET authenticated_at = made_at * 1000;

	CREATE TABLE old_sheet AS SELECT e.person_id, r.sheet, r.salt, r.made_at FROM recovery_sheet r
		JOIN enrollment e ON e.id = r.enrollment_id WHERE e.state = 'enabled';
	CREATE TABLE old_code AS SELECT e.person_id, c.number, c.salt, c.hash, c.used_at FROM recovery_code c
		JOIN enrollment e ON e.id = c.enrollment_id WHERE e.state = 'enabled';
	DROP TABLE recovery_code;
	DROP TABLE recovery_sheet;
	` + recoveryTables6 + `
	INSERT INTO recovery_sheet (person_id, sheet, salt, made_at, checked_at)
		SELECT person_id, sheet, salt, made_at, max(made_at, coalesce(
			(SELECT max(c.used_at) FROM old_code c WHERE c.person_id = old_sheet.person_id), 0)) FROM old_sheet;
	INSERT INTO recovery_code (person_id, number, salt, hash, used_at)
		SELECT person_id, number, salt, hash, used_at FROM old_code;
	DROP TABLE old_sheet;
	DROP TABLE old_code;`

// recoveryTables6 are as in schema.sql.
const recoveryTables6 = `-- The one sheet of recovery codes of somebody who has a factor.
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
) STRICT, WITHOUT ROWID;`
