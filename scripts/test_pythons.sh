#!/bin/sh
# Run the fast tests with every supported Python on this system, each in an environment of its own.
# usage: test_pythons.sh
set -eu
passed= failed= missing=
for version in 3.11 3.12 3.13; do
    python=
    # pyenv keeps versions off PATH unless they are selected.
    for candidate in "python$version" "${PYENV_ROOT:-$HOME/.pyenv}/versions/$version".*/bin/"python$version"; do
        if "$candidate" -c 'import venv, ensurepip' 2>/dev/null; then
            python=$candidate
            break
        fi
    done
    if [ -z "$python" ]; then
        missing="$missing $version"
    elif make --no-print-directory test-fast VENV=".venv-$version" PYTHON="$python"; then
        passed="$passed $version"
    else
        failed="$failed $version"
    fi
done
echo "passed with Python:${passed:- none}; failed:${failed:- none}; not on this system:${missing:- none}"
[ -n "$passed" ] && [ -z "$failed" ]
