package db

// tallyTable11 is the table of step 11, as in schema.sql.
const tallyTable11 = `CREATE TABLE tally (
    day   INTEGER NOT NULL, -- since 1 January 1970, in UTC
    what  TEXT    NOT NULL, -- sign-in, sign-in-refused, app-opened, app-refused; enrolled and people are what there was at its end
    shard INTEGER NOT NULL, -- 0 to 15, by whom it is about: on a server those who sign in at once write several rows
    n     INTEGER NOT NULL,
    PRIMARY KEY (day, what, shard)
) STRICT, WITHOUT ROWID;
`

const tallyTable11Postgres = `CREATE TABLE tally (
    day   BIGINT  NOT NULL,
    what  TEXT    COLLATE "C" NOT NULL,
    shard BIGINT  NOT NULL,
    n     INTEGER NOT NULL,
    PRIMARY KEY (day, what, shard)
);
`

// fillTally counts what the activity of the newest 90 days tells, and since when those are
// enrolled who are now: whoever has disabled two-factor meanwhile is not among them.
const fillTally = `INSERT INTO tally (day, what, shard, n)
	SELECT at / 86400, CASE event WHEN 'authn_login_success' THEN 'sign-in' WHEN 'authn_login_fail' THEN 'sign-in-refused'
			WHEN 'authz_app_opened' THEN 'app-opened' ELSE 'app-refused' END, 0, count(*)
		FROM activity WHERE at >= (SELECT coalesce(max(at), 0) FROM activity) - 7776000
			AND event IN ('authn_login_success', 'authn_login_fail', 'authz_app_opened', 'authz_fail')
		GROUP BY 1, 2;
	INSERT INTO tally (day, what, shard, n)
	SELECT day, 'enrolled', 0, CAST(sum(n) OVER (ORDER BY day) AS BIGINT) FROM (
		SELECT coalesce(enrolled_at, made_at) / 86400 AS day, count(*) AS n FROM person
		WHERE active = TRUE AND enrolled_here = TRUE GROUP BY 1) AS enrolled;
	INSERT INTO tally (day, what, shard, n)
	SELECT day, 'people', 0, CAST(sum(n) OVER (ORDER BY day) AS BIGINT) FROM (
		SELECT made_at / 86400 AS day, count(*) AS n FROM person WHERE active = TRUE GROUP BY 1) AS people;
`
