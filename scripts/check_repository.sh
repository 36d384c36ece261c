#!/bin/sh
# Report in one line why experiments, which start from a Git commit, are not possible here. The Makefile calls it before the set-up.
set -eu
needs="experiments need a Git repository with a commit"
die() {
    echo "error: $*" >&2
    exit 1
}
command -v git >/dev/null || die "$needs, but git is not installed"
if ! refusal=$(LC_ALL=C git rev-parse --git-dir 2>&1); then
    case $refusal in
        *"dubious ownership"*) die "git refuses this folder, which belongs to another user: run first: git config --global --add safe.directory '$PWD'" ;;
        *) die "$needs, and this folder is in none: for a downloaded copy, run first: git init && git add --all && git commit -m first" ;;
    esac
fi
git rev-parse --verify --quiet HEAD >/dev/null || die "$needs, and this one has no commit yet: run first: git add --all && git commit -m first"
[ "$(git rev-parse --is-shallow-repository)" != true ] ||
    die "experiments need the whole history, and this is a shallow clone: run first: git fetch --unshallow"
