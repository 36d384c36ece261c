#!/bin/sh
# Make the environment that the Makefile's targets run in, if it is not there or requirements.lock has changed.
# usage: setup.sh VENV [PYTHON]
set -eu
venv=$1
python=${2:-}

fits() {
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null
}
die() {
    echo "error: $*" >&2
    exit 1
}

# The stamp is a copy of the lock: a touched file or another checkout's time stamps install nothing anew.
if cmp -s requirements.lock "$venv/requirements.lock" && "$venv/bin/python" -c '' 2>/dev/null; then
    exit 0
fi

if [ -n "$python" ]; then
    command -v "$python" >/dev/null || die "PYTHON=$python: no such program"
    fits "$python" || die "PYTHON=$python is $("$python" --version 2>&1): Python 3.11, 3.12 or 3.13 is needed"
else
    for candidate in python3 python3.13 python3.12 python3.11 python; do
        if command -v "$candidate" >/dev/null && fits "$candidate"; then
            python=$candidate
            break
        fi
    done
    found=$(python3 --version 2>/dev/null || echo "no python3")
    [ -n "$python" ] || die "Python 3.11, 3.12 or 3.13 is needed, but here is $found: install one, or name it with make PYTHON=/path/to/python"
fi
"$python" -c 'import venv, ensurepip' 2>/dev/null || die "$python has no venv module: install it (on Debian and Ubuntu: apt install python3-venv)"

echo "setting up $venv with $("$python" --version) (once, some minutes) ..."
"$python" -m venv --clear "$venv" || die "$python -m venv $venv failed: see above"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock ||
    die "the packages of requirements.lock could not be installed: see above"
cp requirements.lock "$venv/requirements.lock"
