#!/bin/sh
# Pin every package for Python 3.11 to 3.13 on every system, with hashes and without index addresses.
set -eu
uv pip compile --quiet --universal --python-version 3.11 --group dev --generate-hashes --no-emit-index-url --no-emit-find-links \
    --no-annotate --no-header --upgrade pyproject.toml --output-file requirements.lock
