#!/bin/sh
# Create the environment that the Makefile's targets run in, unless it is there and fits requirements.lock,
# and the page template for `dvc plots`.
# usage: setup.sh VENV [PYTHON [EXTRAS]]
set -eu
venv=$1
python=${2:-}
new_extras=${3:-}

is_supported() {
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null
}
die() {
    echo "error: $*" >&2
    exit 1
}

# An extra is a lock of packages that not everyone needs: cuda is that of requirements-cuda.lock.
names=
for lock in requirements-*.lock; do
    name=${lock#requirements-}
    names="$names ${name%.lock}"
done
set -f # an asterisk is no name
for extra in $new_extras; do
    case "$names " in
        *" $extra "*) ;;
        *) die "EXTRAS: there is no $extra: choose from$names" ;;
    esac
    if [ "$extra" = cuda ] && [ "$(uname -s) $(uname -m)" != "Linux x86_64" ]; then
        die "EXTRAS=cuda is for Linux on x86-64, and this is $(uname -s) $(uname -m): leave it out"
    fi
done
set +f
# The environment lists its extras, so that a later call without EXTRAS, such as by `make repro`, keeps them and follows their locks.
extras_file=$venv/extras
extras=$new_extras
if [ -e "$extras_file" ]; then
    while read -r extra; do
        case " $extras " in
            *" $extra "*) ;;
            *) extras="$extras $extra" ;;
        esac
    done <"$extras_file"
fi
install_extras() {
    [ -z "$new_extras" ] || printf '%s\n' $extras >"$extras_file"
    for extra in $extras; do
        lock=requirements-$extra.lock
        # Its copy is its stamp, as below. Another commit may have no such lock.
        if [ ! -e "$lock" ] || cmp -s "$lock" "$venv/$lock"; then
            continue
        fi
        "$venv/bin/python" scripts/install_lock.py "$venv" "$lock" ||
            die "the packages of $lock could not be installed (see above): try again, or go on without them by removing $extra from $extras_file"
        cp "$lock" "$venv/$lock"
    done
}
# Each checkout has its own page, but several may share an environment. Only `dvc plots` needs it.
page=.dvc/plots.html
make_page() {
    "$venv/bin/python" scripts/plots_page.py || echo "warning: $page could not be made, so dvc plots needs internet access (see above)" >&2
}

# DVC refuses to run outside a Git repository unless it is told to. Without Git there is no `git init` yet either.
is_in_git() {
    folder=$PWD
    while [ ! -e "$folder/.git" ]; do
        [ -n "$folder" ] || return 1
        folder=${folder%/*}
    done
}
configure_dvc() {
    if is_in_git; then
        ! grep -q '^ *no_scm = true' .dvc/config.local 2>/dev/null || "$venv/bin/python" -m dvc config --quiet --local --unset core.no_scm
    elif ! grep -q '^ *no_scm = true' .dvc/config.local 2>/dev/null; then
        echo "this folder is not in a Git repository: the pipeline runs without, but experiments (make experiment) need one" >&2
        "$venv/bin/python" -m dvc config --quiet --local core.no_scm true
    fi
}

# For commands typed by hand in the activated environment.
write_variables() {
    echo 'export MLFLOW_DISABLE_TELEMETRY=true DO_NOT_TRACK=true' >>"$venv/bin/activate"
}

# The stamp is a copy of the lock: unlike a time stamp, it stays valid when files are touched or checked out again.
stamp=$venv/requirements.lock
# Creating an environment empties its folder, so only one with this mark is ever replaced.
mark=$venv/made-by-make
if cmp -s requirements.lock "$stamp" && "$venv/bin/python" -c '' 2>/dev/null; then
    # The line that created it, in which its path comes last.
    created_at=$(sed -n 's/^command = .* -m venv \(--[^ ]* \)*//p' "$venv/pyvenv.cfg" 2>/dev/null || true)
    if [ -e "$mark" ] && [ -n "$created_at" ] && [ ! "$created_at" -ef "$venv" ]; then
        echo "$venv was moved here from $created_at: adapting its programs ..."
        "$venv/bin/python" scripts/relocate_environment.py "$venv" "$created_at"
        write_variables
    fi
    if [ ! -e "$page" ] || [ -n "$(find scripts/plots_page.* -newer "$page")" ]; then
        make_page
    fi
    configure_dvc
    install_extras
    exit 0
fi
if [ -e "$venv" ] && [ ! -e "$mark" ]; then
    die "$venv already exists and was not created by make: remove it, or choose another folder with VENV=..."
fi

no_venv() {
    die "$1 has no venv module: install it (on Debian and Ubuntu: apt install python3-venv)"
}
has_venv() {
    "$1" -c 'import venv, ensurepip' 2>/dev/null
}
if [ -n "$python" ]; then
    command -v "$python" >/dev/null || die "PYTHON=$python: no such program"
    is_supported "$python" || die "PYTHON=$python is $("$python" --version 2>&1): Python 3.11, 3.12 or 3.13 is required"
    has_venv "$python" || no_venv "$python"
else
    without=
    for candidate in python3 python3.13 python3.12 python3.11 python; do
        if command -v "$candidate" >/dev/null && is_supported "$candidate"; then
            if has_venv "$candidate"; then
                python=$candidate
                break
            fi
            without=$candidate
        fi
    done
    if [ -z "$python" ]; then
        [ -z "$without" ] || no_venv "$without"
        installed=$(python3 --version 2>/dev/null || echo "no python3")
        die "Python 3.11, 3.12 or 3.13 is required, but this system has $installed: install one, or name it with make PYTHON=/path/to/python"
    fi
fi

echo "setting up $venv with $("$python" --version) (only once) ..."
rm -rf "$venv"
mkdir -p "$venv"
touch "$mark"
[ -z "$extras" ] || printf '%s\n' $extras >"$extras_file"
"$python" -m venv "$venv" || die "$python -m venv $venv failed (see above)"
"$python" scripts/install_lock.py "$venv" || die "the packages of requirements.lock could not be installed (see above)"
write_variables
cp requirements.lock "$stamp"
make_page
configure_dvc
install_extras
