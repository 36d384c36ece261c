#!/bin/sh
# Pin every package of pyproject.toml in requirements.lock, with hashes and without index addresses, and those of its groups docs and cuda
# in requirements-docs.lock and requirements-cuda.lock.
# Existing pins stay unless pyproject.toml rules them out.
# usage: lock.sh [--upgrade | --upgrade-package NAME]
set -eu
lock=requirements.lock
docs_lock=requirements-docs.lock
cuda_lock=requirements-cuda.lock
compile() {
    uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate --no-header "$@"
}
compile --group dev --extra s3 --extra postgresql --extra tensorboard "$@" pyproject.toml --output-file "$lock"
# Installed on top of the first, so what both need has the same version.
compile --group docs --constraint "$lock" "$@" --output-file "$docs_lock"
compile --group cuda --constraint "$lock" "$@" --output-file "$cuda_lock"

# The other extras are added by hand, and must not change what the lock pins.
uv pip compile --quiet --universal --python-version 3.11 --group dev --all-extras --constraint "$lock" --output-file /dev/null pyproject.toml >/dev/null

# A universal lock can still name a version that one of the systems cannot install. antlr4-python3-runtime has no wheels: pure Python, built anywhere.
target=$(mktemp -d)
trap 'rm -rf "$target"' EXIT
for python in 3.11 3.12 3.13; do
    for platform in x86_64-manylinux_2_28 aarch64-manylinux_2_28 aarch64-apple-darwin; do
        uv pip install --quiet --dry-run --target "$target" --python-version "$python" --python-platform "$platform" \
            --only-binary :all: --no-binary antlr4-python3-runtime --require-hashes --requirement "$lock" \
            --requirement "$docs_lock" --requirement "$cuda_lock" || {
            echo "error: $lock, $docs_lock and $cuda_lock cannot be installed with Python $python on $platform: see above" >&2
            exit 1
        }
    done
done
echo "$lock: $(grep -c '^[a-z]' "$lock") packages, $docs_lock: $(grep -c '^[a-z]' "$docs_lock"), $cuda_lock: $(grep -c '^[a-z]' "$cuda_lock"), installable with Python 3.11 to 3.13 on Linux x86-64, Linux arm64 and macOS arm64"
