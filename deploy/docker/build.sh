#!/usr/bin/env bash
# build.sh TAG [docker buildx build option…]: builds the image with base images named by digest. SDK_DIGEST and RUNTIME_DIGEST, if set, are taken as they are.
set -euo pipefail

tag=${1:?the name of the image, with a tag}
shift
case "$tag" in *:latest) echo "build: 'latest' says nothing; give a version" >&2; exit 2 ;; *:*) ;; *) echo "build: $tag has no tag" >&2; exit 2 ;; esac
root=$(dirname "$(dirname "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")")")
dockerfile=$root/deploy/docker/Dockerfile

# What a tag of the Dockerfile stands for today.
digest_of() {
  local image
  image=$(sed -n "s/^ARG $1=//p" "$dockerfile")
  docker buildx imagetools inspect "$image" --format '{{.Manifest.Digest}}'
}

: "${SDK_DIGEST:=$(digest_of SDK_IMAGE)}" "${RUNTIME_DIGEST:=$(digest_of RUNTIME_IMAGE)}"
for digest in "$SDK_DIGEST" "$RUNTIME_DIGEST"; do
  [[ $digest =~ ^sha256:[0-9a-f]{64}$ ]] || { echo "build: '$digest' is no digest" >&2; exit 1; }
done
version=$(sed -n 's|.*<Version>\(.*\)</Version>.*|\1|p' "$root/Directory.Build.props")
exec docker buildx build "$root" -f "$dockerfile" -t "$tag" \
  --build-arg "SDK_DIGEST=$SDK_DIGEST" --build-arg "RUNTIME_DIGEST=$RUNTIME_DIGEST" \
  --build-arg "VERSION=${ROOTMAS_VERSION:-$version}" --build-arg "REVISION=$(git -C "$root" rev-parse HEAD 2>/dev/null || echo unknown)" "$@"
