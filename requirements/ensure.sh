#!/bin/sh
# Makes .venv hold exactly what the lock named by $1 (run or dev) says, and this package.
# Needs only Python >= 3.11. A second call finds nothing to do and says nothing.
set -eu
cd "$(dirname "$0")/.."

# A command may exist and still not run (version managers leave such shims), so each is tried.
works() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

# An environment is tied to its folder: after a move or a vanished Python it is made anew.
usable() {
    works .venv/bin/python && [ "$(cat .venv/.root 2>/dev/null)" = "$PWD" ]
}

if ! usable; then
    python=
    for name in ${PYTHON:-} python3.13 python3.12 python3.11 python3.14 python3; do
        if works "$name"; then
            python=$name
            break
        fi
    done
    if [ -z "$python" ]; then
        echo "OpenAlpha needs Python 3.11 or newer and found none that runs: install one, or name it: make $1 PYTHON=/path/to/python3" >&2
        exit 1
    fi
    echo "Creating the virtual environment .venv with $("$python" --version)"
    rm -rf .venv
    if ! "$python" -m venv .venv >&2; then
        rm -rf .venv
        echo "This Python cannot create virtual environments: install its venv module (on Debian and Ubuntu the package python3-venv), then try again." >&2
        exit 1
    fi
    printf '%s\n' "$PWD" > .venv/.root
fi

exec .venv/bin/python requirements/install.py "$1"
