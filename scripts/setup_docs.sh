#!/bin/sh
# Install the packages that the documentation site and the notebook need into the environment, unless they are there.
# usage: setup_docs.sh VENV
set -eu
lock=requirements-docs.lock
stamp=$1/$lock  # a copy of the lock, as in setup.sh
cmp -s "$lock" "$stamp" && exit 0
"$1/bin/python" scripts/install_lock.py "$1" "$lock" || {
    echo "error: the packages of $lock could not be installed (see above)" >&2
    exit 1
}
cp "$lock" "$stamp"
