#!/bin/sh
# Report in one line why experiments, which start from a Git commit, are not possible here. The Makefile calls it before the set-up.
set -eu
needs="experiments need a Git repository with a commit"
die() {
    echo "error: $*" >&2
    exit 1
}
command -v git >/dev/null || die "$needs, but git is not installed"
git rev-parse --git-dir >/dev/null 2>&1 ||
    die "$needs, but $(git rev-parse --git-dir 2>&1 | head -n 1): for a downloaded copy: git init && git add --all && git commit -m first"
git rev-parse --verify --quiet HEAD >/dev/null || die "$needs, and this one has no commit yet: git add --all && git commit -m first"
[ "$(git rev-parse --is-shallow-repository)" != true ] ||
    die "experiments need the whole history, and this is a shallow clone: run first: git fetch --unshallow"
