#!/usr/bin/env bash
# Regenerates protos/gen. The tools are old on purpose: their output loads on protobuf 5, 6 and 7
# (see DECISIONS.md), so they live in an environment of their own.
set -euo pipefail
root="$(cd "$(dirname "$0")/.." && pwd)"
out="${1:-$root/protos/gen}"
venv="$root/.venv-protoc"
if [ ! -e "$venv/ready" ]; then
  "${PYTHON:-python3}" -m venv "$venv"
  "$venv/bin/pip" install --quiet 'grpcio-tools==1.71.2' 'mypy-protobuf==3.6.0' 'setuptools<81'
  touch "$venv/ready"
fi
cd "$root/protos"
rm -rf "$out/harken"
mkdir -p "$out"
PATH="$venv/bin:$PATH" "$venv/bin/python" -m grpc_tools.protoc -I . \
  --python_out="$out" --pyi_out="$out" --grpc_python_out="$out" --mypy_grpc_out="$out" \
  $(find harken -name '*.proto' | sort)
find "$out/harken" -type d | while read -r folder; do touch "$folder/__init__.py"; done
touch "$out/harken/py.typed"
