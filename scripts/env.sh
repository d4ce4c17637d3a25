#!/bin/sh
# Makes .venv with jobflow in it: `env.sh run` for users, `env.sh dev` with the test tools as well.
# Needs python3 (3.11 or newer) and the package index that pip is set up for. Done once per change of pyproject.toml.
set -eu
cd "$(dirname "$0")/.."
want=${1:-run}

python=${PYTHON:-python3}
"$python" - <<'PY' || exit 2
import sys
if sys.version_info < (3, 11):
    sys.exit(f"jobflow needs Python 3.11 or newer; {sys.executable} is {sys.version.split()[0]}. Set PYTHON=/path/to/python3.11")
PY

stamp=$(cat pyproject.toml constraints.txt | cksum | tr ' ' '-')
if [ "$want" = run ] && [ -f ".venv/.dev-$stamp" ]; then exit 0; fi
if [ -f ".venv/.$want-$stamp" ]; then exit 0; fi

echo "setting up .venv ($want) ..." >&2
if ! "$python" -m venv .venv 2>/dev/null; then
    # Debian's python3 comes without ensurepip
    "$python" -m pip --version >/dev/null 2>&1 || { echo "python3 has neither venv nor pip: install python3-venv" >&2; exit 2; }
    "$python" -m pip install --quiet --user --break-system-packages virtualenv && "$python" -m virtualenv --quiet .venv
fi
.venv/bin/python -m pip install --quiet --disable-pip-version-check "pip>=25.1"
if [ "$want" = dev ]; then
    .venv/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e . --group dev
else
    .venv/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
fi
rm -f .venv/.run-* .venv/.dev-*
touch ".venv/.$want-$stamp"
