package db

// peopleStep leads to schema 11 on both engines: lists of people that are filtered, or go by
// the last sign-in.
const peopleStep = `CREATE INDEX person_kinds ON person (role, enrolled,
		(CASE WHEN active = FALSE THEN 2 WHEN password_hash = '' THEN 1 ELSE 0 END), sort_key, id) WHERE removed_at IS NULL;
	CREATE INDEX person_kinds_by_sign_in ON person (role, enrolled,
		(CASE WHEN active = FALSE THEN 2 WHEN password_hash = '' THEN 1 ELSE 0 END), last_sign_in_at, id) WHERE removed_at IS NULL;`
