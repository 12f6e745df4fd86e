#!/bin/sh
# Installs what the browser tests need, or says what is missing.
set -eu

missing=""
need() { command -v "$1" >/dev/null 2>&1 || missing="$missing $2"; }
need chromium chromium
need zbarimg zbar-tools
need oathtool oathtool

[ -n "$missing" ] || exit 0
if command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
	apt-get update -q
	# shellcheck disable=SC2086
	DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing
	exit 0
fi
echo "The browser tests need these Debian packages:$missing. Install them, e.g. with: sudo apt-get install$missing" >&2
exit 1
