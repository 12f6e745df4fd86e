#!/bin/sh
# Installs what the browser tests need, or says what is missing.
set -eu

PATH="$PATH:/usr/sbin" # nginx is there
missing=""
need() { command -v "$1" >/dev/null 2>&1 || missing="$missing $2"; }
need chromium chromium
need zbarimg zbar-tools
need oathtool oathtool
need sqlite3 sqlite3
need nginx nginx-light
need caddy caddy
need pgbouncer pgbouncer
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || need initdb postgresql # Debian keeps it out of PATH
need java default-jre-headless
need minisign minisign
need npm npm
need apache2 apache2
[ -e /usr/lib/apache2/modules/mod_auth_openidc.so ] || missing="$missing libapache2-mod-auth-openidc"

if [ -n "$missing" ] && command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
	apt-get update -q
	# shellcheck disable=SC2086
	DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing
elif [ -n "$missing" ]; then
	echo "The browser tests need these Debian packages:$missing. Install them, e.g. with: sudo apt-get install$missing" >&2
	exit 1
fi

# axe-core, the Nu HTML checker, openid-client and oidc-provider, in the versions of package-lock.json.
cd "$(dirname "$0")"
[ node_modules -nt package-lock.json ] || npm ci --ignore-scripts --no-audit --no-fund --silent
