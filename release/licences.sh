#!/bin/sh
# Writes the licences of everything that is in the programs to standard output. A module without one fails. Where the
# author's grant stands elsewhere than in the released module, it is in release/licences/MODULE@VERSION.txt, with where
# it was found: another version of the module needs another look.
set -eu

cd "$(dirname "$0")/.."

show() { printf '\n======== %s\n\n' "$1"; shift; cat "$@"; }

echo "Gatehouse is made with the following, under the licences that follow each name."
show "Go, its standard library and runtime" "$(go env GOROOT)/LICENSE"
show "htmx" static/htmx-LICENSE.txt
for target in linux/amd64 linux/arm64 darwin/arm64 windows/amd64 freebsd/amd64; do
	CGO_ENABLED=0 GOOS=${target%/*} GOARCH=${target#*/} go list -deps -f '{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}} {{.Dir}}{{end}}{{end}}' .
done | sort -u | while read -r path version dir; do
	files=$(find "$dir" -maxdepth 1 -type f \( -iname 'licen[sc]e*' -o -iname 'copying*' -o -iname 'notice*' -o -iname 'patents*' \) | sort)
	[ -n "$files" ] || files=$(find "release/licences/$path@$version.txt" 2>/dev/null) || true
	[ -n "$files" ] || { echo "$path $version has no licence: may it be released?" >&2; exit 1; }
	# shellcheck disable=SC2086
	show "$path $version" $files
done
