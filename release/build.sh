#!/bin/sh
# Builds the released programs: release/build.sh DIRECTORY [GOOS/GOARCH…]. The same commit and the same Go give the
# same bytes, wherever and whenever they are built.
set -eu

cd "$(dirname "$0")/.."
out=$1
shift
[ $# -gt 0 ] || set -- linux/amd64 linux/arm64 darwin/arm64 windows/amd64 freebsd/amd64
version=${VERSION:-$(sed -n 's/^## \([0-9][0-9.]*\).*/\1/p' CHANGELOG.md | head -n 1)}
commit=${COMMIT:-$(git rev-parse HEAD)}

mkdir -p "$out"
for target; do
	os=${target%/*} arch=${target#*/} end=
	[ "$os" != windows ] || end=.exe
	CGO_ENABLED=0 GOOS=$os GOARCH=$arch GOFLAGS= GOEXPERIMENT= go build -trimpath -buildvcs=false \
		-ldflags "-s -w -buildid= -X gatehouse/cli.Version=$version -X gatehouse/cli.Commit=$commit" \
		-o "$out/gatehouse-$version-$os-$arch$end" .
done
