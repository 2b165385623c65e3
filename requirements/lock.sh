#!/bin/sh
# Writes run.lock and dev.lock from pyproject.toml: pinned versions and hashes for every
# platform and Python we support, and no download addresses. The resolver (uv) lives in a
# throw-away environment; local package settings of this machine are ignored.
set -eu
cd "$(dirname "$0")/.."
box=$(mktemp -d)
trap 'rm -rf "$box"' EXIT
sh requirements/ensure.sh run
.venv/bin/python -m venv "$box/venv"
"$box/venv/bin/python" -m pip install -qq uv
export UV_NO_CONFIG=1
unset UV_INDEX UV_FIND_LINKS UV_EXTRA_INDEX_URL UV_INDEX_URL UV_DEFAULT_INDEX 2>/dev/null || true
compile() {
    "$box/venv/bin/uv" pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
        --only-binary :all: --no-emit-index-url --no-emit-find-links --no-annotate --no-header "$@"
}
echo "Pinning run.lock"
compile pyproject.toml --group install -o requirements/run.lock
echo "Pinning dev.lock"
compile pyproject.toml --group install --group dev -c requirements/run.lock -o requirements/dev.lock
