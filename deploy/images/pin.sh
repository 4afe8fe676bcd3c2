#!/bin/sh
# Pins the bases of the Dockerfile to what their tags stand for now: deploy/images/pin.sh
#
# Needs docker with buildx, and the registries. Run it before a release and when a base has an update,
# and commit what it writes; the tags stay, for readers.
set -eu
file=${1:-$(dirname "$0")/Dockerfile}

for name in BUILD_BASE RUNTIME_BASE; do
  image=$(sed -n "s/^ARG $name=\([^@]*\).*/\1/p" "$file")
  # Of the list for all platforms, so that every builder finds its own.
  digest=$(docker buildx imagetools inspect --format '{{.Manifest.Digest}}' "$image")
  if ! printf '%s' "$digest" | grep -Eqx 'sha256:[0-9a-f]{64}'; then
    echo "no digest of $image: $digest" >&2
    exit 1
  fi
  pinned=$(sed "s|^ARG $name=.*|ARG $name=$image@$digest|" "$file")
  printf '%s\n' "$pinned" > "$file"
  echo "$name=$image@$digest"
done
