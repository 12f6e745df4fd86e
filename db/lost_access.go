package db

// What ends at apps when somebody may not open them any more. Tokens go in the transaction
// that takes the access away; a connected session without its handle is the app's call,
// which is made afterwards (backchannel.go).

// endLostAt ends what those have at an app who may not open it any more.
func (t *tx) endLostAt(app int64) error {
	const lost = ` app_id = $1 AND person_id IN (SELECT p.id FROM person p JOIN app a ON a.id = $1
		WHERE p.id IN (SELECT person_id FROM connected_session WHERE app_id = $1) AND NOT ` + mayOpen + `)`
	return t.endWhere(lost, app)
}

// endLostBy ends what somebody has at apps that they may not open any more.
func (t *tx) endLostBy(person int64) error {
	const lost = ` person_id = $1 AND app_id IN (SELECT a.id FROM app a JOIN person p ON p.id = $1
		WHERE a.id IN (SELECT app_id FROM connected_session WHERE person_id = $1) AND NOT ` + mayOpen + `)`
	return t.endWhere(lost, person)
}

// endApp ends what everybody has at an app.
func (t *tx) endApp(app int64) error { return t.endWhere(` app_id = $1`, app) }

// endWhere ends tokens, and queues that the apps are told.
func (t *tx) endWhere(which string, arg int64) error {
	if _, err := t.exec(`DELETE FROM app_grant WHERE`+which, arg); err != nil {
		return err
	}
	_, err := t.exec(`UPDATE connected_session SET session_handle = NULL, expired = FALSE WHERE`+which, arg)
	return err
}

// endAt ends somebody's tokens at one app, and queues that it is told.
func (t *tx) endAt(person, app int64) error {
	if _, err := t.exec(`DELETE FROM app_grant WHERE person_id = $1 AND app_id = $2`, person, app); err != nil {
		return err
	}
	_, err := t.exec(`UPDATE connected_session SET session_handle = NULL, expired = FALSE
		WHERE person_id = $1 AND app_id = $2`, person, app)
	return err
}

// endOffline ends somebody's tokens for offline use, which no session takes along, and
// queues that the apps of sessions which had run out before are told.
func (t *tx) endOffline(person int64) error {
	if _, err := t.exec(`DELETE FROM app_grant WHERE person_id = $1 AND session_handle IS NULL`, person); err != nil {
		return err
	}
	_, err := t.exec(`UPDATE connected_session SET expired = FALSE WHERE person_id = $1 AND expired = TRUE`, person)
	return err
}
