#!/bin/sh
# Builds the prefix that an image runs from: a virtual environment with locked wheels, our own wheel,
# and nothing that is only needed to build, test or read the code.
#
#   deploy/images/install.sh SERVICE PREFIX [otel]
#
# SERVICE is profile, ranker, feedback, cli or trainer. PREFIX must not exist yet; it works at this
# path only. With `otel` a service can send traces. PYTHON names the interpreter (default: python3), which must be at the same path where
# the prefix is to run. Wheels only: but for our own compiled core (native/), nothing is compiled and
# no code of a package runs while installing. Without a C++ compiler the core is left out.
set -eu

service=$1
prefix=$2
extra=${3:-}
python=${PYTHON:-python3}
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)

core=
case $service in
  profile) keep="common feed $service" ;;
  ranker | feedback) keep="common feed $service" core=1 ;;
  cli | trainer) keep= ;; # the tools import each other, and the domains of services
  *) echo "unknown service: $service" >&2; exit 2 ;;
esac
case $extra in
  '' | otel) ;;
  *) echo "unknown extra: $extra" >&2; exit 2 ;;
esac
if [ -e "$prefix" ]; then
  echo "$prefix exists already" >&2
  exit 2
fi

# What is installed elsewhere must not count as installed here.
unset PYTHONPATH PYTHONHOME
export PYTHONNOUSERSITE=1

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Tools stay outside: the prefix never holds pip.
"$python" -m venv "$work/tools"
pip="$work/tools/bin/python -m pip --quiet --disable-pip-version-check"
$pip install --require-hashes --no-deps --only-binary :all: -r "$here/requirements/build.txt"
$pip wheel --no-deps --no-build-isolation --wheel-dir "$work/wheel" "$root"
if [ -n "$core" ]; then
  if why=$(sh "$root/native/can_build.sh" "$work/tools/bin/python"); then
    # Its tools are in the environment that builds, not on the path.
    PATH="$work/tools/bin:$PATH" $pip wheel --no-deps --no-build-isolation \
      --config-settings=build-dir="$work/core" --wheel-dir "$work/wheel" "$root/native"
  else
    echo "$service gets no compiled core: $why" >&2
  fi
fi

"$python" -m venv --without-pip --symlinks "$prefix"
into="$pip --python $prefix/bin/python install --no-deps --only-binary :all: --no-compile"
$into --require-hashes -r "$here/requirements/$service.txt"
[ -z "$extra" ] || $into --require-hashes -r "$here/requirements/$extra.txt"
$into --no-index "$work"/wheel/*.whl

site=$("$prefix/bin/python" -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')
if [ -n "$keep" ]; then
  for part in "$site"/services/*/; do
    case " $keep " in
      *" $(basename "$part") "*) ;;
      *) rm -rf "$part" ;;
    esac
  done
  rm -f "$prefix/bin/harken"
fi
"$work/tools/bin/python" "$here/sbom.py" "$site" > "$prefix/sbom.cdx.json"
sh "$here/strip.sh" "$prefix" "$site"

# Byte code is made here, as nothing can be written at run time. It is not checked against time
# stamps, which copying between stages may change.
"$prefix/bin/python" -m compileall -q --invalidation-mode unchecked-hash "$site"
