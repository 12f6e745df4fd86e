package db

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"gatehouse/passkeys"
	"gatehouse/twofactor"
)

// A Passkey is one of a person's passkeys.
type Passkey struct {
	passkeys.Passkey
	Handle string // names it in addresses
	Name   string
	MadeAt time.Time
	UsedAt time.Time // zero until it has been used
	person int64
	mac    []byte
}

// passkeyContext binds a passkey's row to its person: moved to somebody else by hand, or
// given another key, it opens nothing.
func passkeyContext(id, publicKey []byte, person int64, rpID string) string {
	return fmt.Sprintf("gatehouse passkey\x00%d\x00%s\x00%x\x00%x", person, rpID, id, publicKey)
}

func (p Passkey) context() string { return passkeyContext(p.ID, p.PublicKey, p.person, p.RPID) }

const passkeyColumns = `k.id, k.handle, k.person_id, k.rp_id, k.name, k.public_key, k.aaguid, k.transports,
	k.attachment, k.attestation, k.flags, k.sign_count, k.discoverable, k.made_at, k.used_at, k.mac`

func scanPasskey(scan func(...any) error) (Passkey, error) {
	var p Passkey
	var transports string
	var made, used sql.NullInt64
	err := scan(&p.ID, &p.Handle, &p.person, &p.RPID, &p.Name, &p.PublicKey, &p.AAGUID, &transports, &p.Attachment,
		&p.Attestation, &p.Flags, &p.SignCount, &p.Discoverable, &made, &used, &p.mac)
	p.Transports, p.MadeAt, p.UsedAt = strings.Fields(transports), instant(made), instant(used)
	return p, err
}

// Passkeys lists the visitor's passkeys, the oldest first.
func (s *Store) Passkeys(ctx context.Context, v Visitor) ([]Passkey, error) {
	return s.passkeys(ctx, v.Person.ID)
}

func (s *Store) passkeys(ctx context.Context, person int64) ([]Passkey, error) {
	return allPasskeys(reading{s, ctx}, person)
}

const passkeysOfPerson = `SELECT ` + passkeyColumns + ` FROM passkey k
	WHERE k.person_id = $1 ORDER BY k.made_at, k.handle`

func (t *tx) passkeys(person int64) ([]Passkey, error) { return allPasskeys(t, person) }

func allPasskeys(q querier, person int64) (list []Passkey, err error) {
	err = eachRow(q, func(scan func(...any) error) error {
		p, err := scanPasskey(scan)
		list = append(list, p)
		return err
	}, passkeysOfPerson, person)
	if err != nil {
		return nil, fmt.Errorf("reading passkeys: %w", err)
	}
	return list, nil
}

// credentialsOf returns the passkeys as package passkeys knows them.
func credentialsOf(list []Passkey) []passkeys.Passkey {
	out := make([]passkeys.Passkey, 0, len(list))
	for _, p := range list {
		out = append(out, p.Passkey)
	}
	return out
}

// passkeyByHandle finds one of a person's own, or returns ErrNotFound.
func (t *tx) passkeyByHandle(person int64, handle string) (Passkey, error) {
	p, err := scanPasskey(t.row(`SELECT `+passkeyColumns+` FROM passkey k WHERE k.handle = $1 AND k.person_id = $2`,
		handle, person).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return p, ErrNotFound
	}
	if err != nil {
		return p, fmt.Errorf("reading a passkey: %w", err)
	}
	return p, nil
}

// A passkeyOwner is whose passkey an answer is about, with all that verifying it takes.
type passkeyOwner struct {
	passkeys.Owner
	person int64
	active bool
	app    bool // has the authenticator app too
	keys   []Passkey
}

// passkeyOwner reads a person as the owner of passkeys.
func (s *Store) passkeyOwner(ctx context.Context, person int64) (passkeyOwner, error) {
	o := passkeyOwner{person: person}
	err := s.row(ctx, `SELECT user_handle, email, name, active,
			EXISTS (SELECT 1 FROM enrollment e WHERE e.person_id = person.id AND e.state = 'enabled')
		FROM person WHERE id = $1 AND removed_at IS NULL`, person).
		Scan(&o.Handle, &o.Name, &o.Shown, &o.active, &o.app)
	if errors.Is(err, sql.ErrNoRows) {
		return o, ErrNotFound
	}
	if err != nil {
		return o, fmt.Errorf("reading the owner of passkeys: %w", err)
	}
	o.keys, err = s.passkeys(ctx, person)
	return o, err
}

// AcceptedPasskeys are those of a person that still sign in, for the browser's own list.
type AcceptedPasskeys struct {
	UserHandle []byte
	IDs        [][]byte
}

// AcceptedPasskeys lists the visitor's that were made for a party.
func (s *Store) AcceptedPasskeys(ctx context.Context, v Visitor, party passkeys.Party) (AcceptedPasskeys, error) {
	o, err := s.passkeyOwner(ctx, v.Person.ID)
	out := AcceptedPasskeys{UserHandle: o.Handle}
	for _, k := range party.Usable(credentialsOf(o.keys)) {
		out.IDs = append(out.IDs, k.ID)
	}
	return out, err
}

// ownerOfPasskey finds whose a credential is, or returns ErrNotFound.
func (s *Store) ownerOfPasskey(ctx context.Context, id []byte) (passkeyOwner, error) {
	var person int64
	err := s.row(ctx, `SELECT person_id FROM passkey WHERE id = $1`, id).Scan(&person)
	if errors.Is(err, sql.ErrNoRows) {
		return passkeyOwner{}, ErrNotFound
	}
	if err != nil {
		return passkeyOwner{}, fmt.Errorf("looking for a passkey: %w", err)
	}
	return s.passkeyOwner(ctx, person)
}

// key returns the owner's passkey with an id.
func (o passkeyOwner) key(id []byte) (Passkey, bool) {
	for _, k := range o.keys {
		if bytes.Equal(k.ID, id) {
			return k, true
		}
	}
	return Passkey{}, false
}

// A usedPasskey is a passkey whose answer is right, until the transaction that stores so.
type usedPasskey struct {
	Passkey
	next  passkeys.Passkey // as it is afterwards
	proof passkeys.Proof
}

// usePasskey stores that a passkey was used. It must still be the row that the answer was
// verified against, and its counter must still rise: of two answers with one counter, or of
// one that is sent twice, the second finds nothing.
func (s *Store) usePasskey(t *tx, u usedPasskey, now time.Time) error {
	keys, err := s.keyring(t)
	if err != nil {
		return err
	}
	row, err := t.passkeyByHandle(u.person, u.Handle)
	if errors.Is(err, ErrNotFound) {
		return passkeys.ErrRefused // removed meanwhile
	}
	if err != nil {
		return err
	}
	if err := keys.Prove(row.mac, row.context()); err != nil {
		return fmt.Errorf("the passkey %s of person %d: %w", row.Handle, row.person, err)
	}
	if !bytes.Equal(row.PublicKey, u.PublicKey) || !bytes.Equal(row.ID, u.ID) || row.RPID != u.RPID {
		return passkeys.ErrRefused
	}
	if off, err := t.isSwitchedOff(row.person, row.MadeAt); err != nil {
		return err
	} else if off {
		return twofactor.ErrSwitchedOff
	}
	n, err := t.exec(`UPDATE passkey SET sign_count = $1, flags = $2, used_at = $3
		WHERE id = $4 AND (sign_count < $5 OR (sign_count = 0 AND $6 = TRUE))`,
		u.next.SignCount, u.next.Flags, unix(now), row.ID, u.next.SignCount, u.next.SignCount == 0)
	if err == nil && n == 0 {
		err = passkeys.ErrCounter
	}
	return err
}
