-- The database and its two roles. The owner makes and changes tables; the role of the
-- servers owns nothing, and cannot change or delete activity. Run it once as PostgreSQL's
-- administrator: psql -v ON_ERROR_STOP=1 -f roles.sql, then set a password for each:
-- \password gatehouse_owner, \password gatehouse.
CREATE ROLE gatehouse_owner LOGIN;
CREATE ROLE gatehouse LOGIN;
CREATE DATABASE gatehouse OWNER gatehouse_owner ENCODING 'UTF8' TEMPLATE template0;
REVOKE ALL ON DATABASE gatehouse FROM PUBLIC;
GRANT CONNECT ON DATABASE gatehouse TO gatehouse;

-- A step takes milliseconds. Work that goes through everything lifts these by itself.
ALTER ROLE gatehouse SET statement_timeout = '5s';
ALTER ROLE gatehouse SET idle_in_transaction_session_timeout = '10s';
