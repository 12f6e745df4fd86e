package engine

// ClockQuery reads the clock of the database's server, in milliseconds since 1970.
func (k Kind) ClockQuery() string {
	if k == Postgres {
		return `SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint)`
	}
	return `SELECT CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)`
}
