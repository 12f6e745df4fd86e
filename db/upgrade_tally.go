package db

// tallyTable11 is the table of step 11, as in schema.sql.
const tallyTable11 = `CREATE TABLE tally (
    day   INTEGER NOT NULL, -- since 1 January 1970, in UTC
    what  TEXT    NOT NULL, -- sign-in, sign-in-refused, app-opened, app-refused; enrolled and people are what there was at its end, and what there is now for day 0
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

// fillTally counts what the activity of the newest 90 days tells, how many people there are
// and have a factor, and since when: whoever has disabled two-factor meanwhile is not among
// them. Whoever was there before those days counts from their first on.
const fillTally = `INSERT INTO tally (day, what, shard, n)
	SELECT at / 86400, CASE event WHEN 'authn_login_success' THEN 'sign-in' WHEN 'authn_login_fail' THEN 'sign-in-refused'
			WHEN 'authz_app_opened' THEN 'app-opened' ELSE 'app-refused' END, 0, count(*)
		FROM activity WHERE at >= (SELECT coalesce(max(at), 0) FROM activity) - 7776000
			AND event IN ('authn_login_success', 'authn_login_fail', 'authz_app_opened', 'authz_fail')
		GROUP BY 1, 2;
	INSERT INTO tally (day, what, shard, n)
	SELECT day, 'enrolled', 0, CAST(sum(n) OVER (ORDER BY day) AS BIGINT) FROM (
		SELECT CASE WHEN coalesce(enrolled_at, made_at) / 86400 > since.day THEN coalesce(enrolled_at, made_at) / 86400
			ELSE since.day END AS day, count(*) AS n FROM person, ` + firstTallied + `
		WHERE active = TRUE AND enrolled_here = TRUE GROUP BY 1) AS enrolled;
	INSERT INTO tally (day, what, shard, n)
	SELECT day, 'people', 0, CAST(sum(n) OVER (ORDER BY day) AS BIGINT) FROM (
		SELECT CASE WHEN made_at / 86400 > since.day THEN made_at / 86400 ELSE since.day END AS day, count(*) AS n
		FROM person, ` + firstTallied + ` WHERE active = TRUE GROUP BY 1) AS people;
	INSERT INTO tally (day, what, shard, n)
	SELECT 0, 'people', id % 16, count(*) FROM person WHERE active = TRUE GROUP BY 3;
	INSERT INTO tally (day, what, shard, n)
	SELECT 0, 'enrolled', id % 16, count(*) FROM person WHERE active = TRUE AND enrolled_here = TRUE GROUP BY 3;
`

// firstTallied is the first of the newest 90 days, and never day 0.
const firstTallied = `(SELECT coalesce(max(at), 8000000) / 86400 - 90 AS day FROM activity) AS since`
