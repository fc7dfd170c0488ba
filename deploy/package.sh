#!/usr/bin/env bash
# package.sh [FOLDER]: makes the release for servers with the ASP.NET Core runtime 10: FOLDER/rootmas-VERSION-linux-ARCH.tar.gz with its .sha256 (default: artifacts/release).
# The same sources give the same bytes: names in order, one time, no owners.
set -euo pipefail

root=$(dirname "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")")
out=$(mkdir -p "${1:-$root/artifacts/release}" && readlink -f "${1:-$root/artifacts/release}")
rid=${ROOTMAS_RID:-linux-x64}
version=${ROOTMAS_VERSION:-$(sed -n 's|.*<Version>\(.*\)</Version>.*|\1|p' "$root/Directory.Build.props")}
most=130 # MB, as promised in docs/operations.md
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT

dotnet publish "$root/src/RootMas.Server" -c Release -r "$rid" --self-contained false -p:PublishReadyToRun=true -p:DebugType=none -p:PublishDocumentationFile=false \
  -p:Version="$version" --artifacts-path "$root/artifacts/package" -o "$stage/rootmas" -v quiet
size=$(du -sm --apparent-size "$stage/rootmas" | cut -f1)
echo "publish output: $size MB of at most $most" >&2
[ "$size" -lt $most ] || { echo "package: the program has become larger than promised" >&2; exit 1; }

cp -r "$root/config" "$root/deploy" "$root/docs" "$root/LICENSE" "$root/README.md" "$root/CHANGELOG.md" "$stage/rootmas/"
rm -rf "$stage/rootmas/deploy/compose/.env" "$stage/rootmas/deploy/compose/secrets"
printf '%s\n' "$version" >"$stage/rootmas/VERSION"
name=rootmas-$version-$rid.tar.gz
tar -C "$stage/rootmas" --sort=name --mtime="@${SOURCE_DATE_EPOCH:-0}" --owner=0 --group=0 --numeric-owner -c . | gzip -n9 >"$out/$name"
(cd "$out" && sha256sum "$name" >"$name.sha256")
echo "$out/$name"
