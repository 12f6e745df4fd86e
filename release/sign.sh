#!/bin/sh
# Signs the checksums of a release with minisign: RELEASE_KEY=FILE release/sign.sh DIRECTORY. The key stays with whoever
# releases; its public half is release/minisign.pub, or what RELEASE_PUBLIC_KEY names. Nothing is asked of another host.
set -eu

dir=$1
public=${RELEASE_PUBLIC_KEY:-$(dirname "$0")/minisign.pub}
[ -f "$public" ] || { echo "There is no $public: make a key with minisign -G -s FILE -p $public, and commit it." >&2; exit 1; }
sums=$dir/SHA256SUMS
[ -f "$sums" ] || { echo "There is no $sums: task release makes it." >&2; exit 1; }
version=$(sed -n 's/.* gatehouse-\([0-9.]*\)-linux-amd64$/\1/p' "$sums")

rm -f "$sums.minisig" "$sums.minisig-new"
minisign -S -s "$RELEASE_KEY" -m "$sums" -x "$sums.minisig-new" -c "checksums of Gatehouse" -t "Gatehouse $version"
# Another key than the one that people have would be found out by them; better here.
minisign -V -q -p "$public" -m "$sums" -x "$sums.minisig-new"
mv "$sums.minisig-new" "$sums.minisig"
