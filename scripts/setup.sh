#!/bin/sh
# Make the environment that the Makefile's targets run in, if it is not there or requirements.lock has changed,
# and the page that `dvc plots` fills.
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
# The page belongs to the checkout, the environment maybe to several. All but `dvc plots` works without it.
page=.dvc/plots.html
make_page() {
    "$venv/bin/python" scripts/plots_page.py || echo "warning: $page could not be made, so dvc plots needs internet: see above" >&2
}

# The stamp is a copy of the lock: a touched file or another checkout's time stamps install nothing anew.
stamp=$venv/requirements.lock
# Only an environment that was made here is ever made anew, since that empties the folder.
mark=$venv/made-by-make
if cmp -s requirements.lock "$stamp" && "$venv/bin/python" -c '' 2>/dev/null; then
    [ -e "$page" ] || make_page
    exit 0
fi
if [ -e "$venv" ] && [ ! -e "$mark" ]; then
    die "$venv is there already and was not made by make: remove it, or name another folder with VENV=..."
fi

no_venv() {
    die "$1 has no venv module: install it (on Debian and Ubuntu: apt install python3-venv)"
}
has_venv() {
    "$1" -c 'import venv, ensurepip' 2>/dev/null
}
if [ -n "$python" ]; then
    command -v "$python" >/dev/null || die "PYTHON=$python: no such program"
    fits "$python" || die "PYTHON=$python is $("$python" --version 2>&1): Python 3.11, 3.12 or 3.13 is needed"
    has_venv "$python" || no_venv "$python"
else
    without=
    for candidate in python3 python3.13 python3.12 python3.11 python; do
        if command -v "$candidate" >/dev/null && fits "$candidate"; then
            if has_venv "$candidate"; then
                python=$candidate
                break
            fi
            without=$candidate
        fi
    done
    found=$(python3 --version 2>/dev/null || echo "no python3")
    if [ -z "$python" ]; then
        [ -z "$without" ] || no_venv "$without"
        die "Python 3.11, 3.12 or 3.13 is needed, but here is $found: install one, or name it with make PYTHON=/path/to/python"
    fi
fi

echo "setting up $venv with $("$python" --version) (once, some minutes) ..."
rm -rf "$venv"
mkdir -p "$venv"
touch "$mark"
"$python" -m venv "$venv" || die "$python -m venv $venv failed: see above"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock ||
    die "the packages of requirements.lock could not be installed: see above"
# For commands typed by hand in the activated environment.
echo 'export MLFLOW_DISABLE_TELEMETRY=true DO_NOT_TRACK=true' >>"$venv/bin/activate"
cp requirements.lock "$stamp"
make_page
