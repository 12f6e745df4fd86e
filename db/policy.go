package db

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"gatehouse/account"
	"gatehouse/twofactor"
)

// SetPolicy changes the two policy settings, whatever they were. On the machine it is
// break-glass and leaves a notice.
func (s *Store) SetPolicy(ctx context.Context, p twofactor.Policy, by Author, now time.Time) error {
	return s.ChangePolicy(ctx, account.Seen{}, p, by, now)
}

// ChangePolicy changes the two policy settings as a form shows them. It refuses with
// account.ErrOutdated when they are not as the form showed them any more.
func (s *Store) ChangePolicy(ctx context.Context, seen account.Seen, p twofactor.Policy, by Author,
	now time.Time) error {
	return s.write(ctx, lockWorkspace(by.ID), func(t *tx) error {
		if err := t.requireAdmin(by); err != nil {
			return err
		}
		before, err := scanPolicy(t.row(policyQuery))
		if err != nil {
			return err
		}
		if seen.Outdated(account.PolicyVersion(before.At(now))) {
			return account.ErrOutdated
		}
		next := p.At(now)
		if samePolicy(before, next) {
			return nil // as it was
		}
		if err := t.execOne(`UPDATE workspace
			SET require_everyone = $1, require_admins = $2, everyone_from = $3, admins_from = $4 WHERE id = 1`,
			next.Everyone, next.Admins, nullable(next.EveryoneFrom), nullable(next.AdminsFrom)); err != nil {
			return err
		}
		if isAnnounced(before, next) {
			if err := t.execOne(`UPDATE workspace SET remind_at = $1 WHERE id = 1`, unix(now)); err != nil {
				return err
			}
		}
		if samePolicy(before.At(now), next) {
			return nil // what has turned on by itself is only noted as on
		}
		_, err = t.appendActivity(now, activityEntry{event: account.PolicyChanged, actor: by.Actor, detail: policyDetail(next)})
		return err
	})
}

// policyQuery reads the policy as scanPolicy expects it.
const policyQuery = `SELECT require_everyone, require_admins, everyone_from, admins_from FROM workspace`

func scanPolicy(r row) (p twofactor.Policy, err error) {
	var everyone, admins sql.NullInt64
	if err := r.Scan(&p.Everyone, &p.Admins, &everyone, &admins); err != nil {
		return p, fmt.Errorf("reading the policy: %w", err)
	}
	p.EveryoneFrom, p.AdminsFrom = instant(everyone), instant(admins)
	return p, nil
}

// samePolicy compares two policies, whatever zone their instants are in.
func samePolicy(a, b twofactor.Policy) bool {
	return a.Everyone == b.Everyone && a.Admins == b.Admins &&
		a.EveryoneFrom.Equal(b.EveryoneFrom) && a.AdminsFrom.Equal(b.AdminsFrom)
}

// isAnnounced reports whether a change gives a setting a day that it did not have.
func isAnnounced(before, next twofactor.Policy) bool {
	return !next.EveryoneFrom.IsZero() && !next.EveryoneFrom.Equal(before.EveryoneFrom) ||
		!next.AdminsFrom.IsZero() && !next.AdminsFrom.Equal(before.AdminsFrom)
}

// PolicyImpact is whom a policy would stop.
type PolicyImpact struct {
	Count int              // at most affectedCounted; More says that there are others
	More  bool             // there are more than Count
	First []AffectedPerson // the first few, in the order of names
	You   bool
}

// An AffectedPerson is one of those whom a policy would stop.
type AffectedPerson struct {
	Name, Email   string
	NeverSignedIn bool
}

// The bounds of what PolicyImpact tells.
const (
	affectedNamed   = 5
	affectedCounted = 1000
)

// PolicyImpact tells whom a policy would stop now: active people that it applies
// to and whose factor is not Enabled.
func (s *Store) PolicyImpact(ctx context.Context, v Visitor, p twofactor.Policy) (PolicyImpact, error) {
	from := ` FROM person p WHERE p.active = TRUE AND p.enrolled_here = FALSE`
	if !p.Everyone {
		// The few admins first, since SQLite would otherwise scan every member in the
		// order of names.
		from = ` FROM person p WHERE p.id IN (SELECT id FROM person WHERE role <> 'member' AND active = TRUE)
			AND p.active = TRUE AND p.enrolled_here = FALSE`
	}
	out := PolicyImpact{You: !v.Enrolled && p.Requires(v.Person.Role)}
	if p == (twofactor.Policy{}) {
		return out, nil
	}
	if err := s.row(ctx, `SELECT count(*) FROM (SELECT 1`+from+` LIMIT $1) AS stopped`, affectedCounted+1).
		Scan(&out.Count); err != nil {
		return out, fmt.Errorf("counting whom a policy stops: %w", err)
	}
	if out.Count > affectedCounted {
		out.Count, out.More = affectedCounted, true
	}
	rows, err := s.rows(ctx, `SELECT p.name, p.email, p.last_sign_in_at IS NULL`+from+
		` ORDER BY p.sort_key, p.id LIMIT $1`, affectedNamed)
	if err != nil {
		return out, fmt.Errorf("reading whom a policy stops: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var person AffectedPerson
		if err := rows.Scan(&person.Name, &person.Email, &person.NeverSignedIn); err != nil {
			return out, fmt.Errorf("reading whom a policy stops: %w", err)
		}
		out.First = append(out.First, person)
	}
	return out, rows.Err()
}

// Readiness counts the active people to whom a policy applies, and those of them who have a
// factor.
func (s *Store) Readiness(ctx context.Context, p twofactor.Policy) (ready, people int, err error) {
	if p.Everyone {
		there, done, err := countPeople(reading{s, ctx})
		return int(done), int(there), err
	}
	err = s.row(ctx, `SELECT count(*) FILTER (WHERE enrolled_here = TRUE), count(*) FROM person WHERE role <> 'member' AND active = TRUE`).
		Scan(&ready, &people)
	if err != nil {
		return 0, 0, fmt.Errorf("counting who is ready: %w", err)
	}
	return ready, people, nil
}

// AdminsWithoutCodes reports whether no active admin has a recovery code left,
// so that a lost phone could lock the workspace's last admin out.
func (s *Store) AdminsWithoutCodes(ctx context.Context) (bool, error) {
	var found bool
	err := s.row(ctx, `SELECT EXISTS (SELECT 1 FROM person p
		WHERE p.role <> 'member' AND p.active = TRUE AND p.unused_codes > 0)`).Scan(&found)
	if err != nil {
		return false, fmt.Errorf("looking for admins with recovery codes: %w", err)
	}
	return !found, nil
}

// onOff names a setting's state for the activity.
func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

// policyDetail describes a policy for the activity. A day is named in the zone that its
// instant comes in: that of whoever has set it.
func policyDetail(p twofactor.Policy) string {
	return "everyone " + settingDetail(p.Everyone, p.EveryoneFrom) + ", admins " + settingDetail(p.Admins, p.AdminsFrom)
}

func settingDetail(on bool, from time.Time) string {
	if from.IsZero() {
		return onOff(on)
	}
	return "from " + from.Format(time.DateOnly)
}
