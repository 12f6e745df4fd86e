package db

// operationStep leads to schema 11: when a backup was made, where the workspace was reached,
// how long sessions last, and whether an app's proxy ever asked.
const operationStep = `ALTER TABLE workspace ADD COLUMN backed_up_at INTEGER;
	ALTER TABLE workspace ADD COLUMN base_url TEXT NOT NULL DEFAULT '';
	ALTER TABLE workspace ADD COLUMN former_base_url TEXT NOT NULL DEFAULT '';
	ALTER TABLE workspace ADD COLUMN base_url_at INTEGER;
	ALTER TABLE workspace ADD COLUMN session_idle INTEGER;
	ALTER TABLE workspace ADD COLUMN session_max INTEGER;
	ALTER TABLE app ADD COLUMN reached_at INTEGER;
	` + reachedApps

// operationStepPostgres is the same on PostgreSQL.
const operationStepPostgres = `ALTER TABLE workspace ADD COLUMN backed_up_at BIGINT;
	ALTER TABLE workspace ADD COLUMN base_url TEXT COLLATE "C" NOT NULL DEFAULT '';
	ALTER TABLE workspace ADD COLUMN former_base_url TEXT COLLATE "C" NOT NULL DEFAULT '';
	ALTER TABLE workspace ADD COLUMN base_url_at BIGINT;
	ALTER TABLE workspace ADD COLUMN session_idle BIGINT;
	ALTER TABLE workspace ADD COLUMN session_max BIGINT;
	ALTER TABLE app ADD COLUMN reached_at BIGINT;
	` + reachedApps

// reachedApps notes the apps that somebody is signed in to.
const reachedApps = `UPDATE app SET reached_at =
	(SELECT min(x.made_at) FROM app_session x WHERE x.app_id = app.id);`
