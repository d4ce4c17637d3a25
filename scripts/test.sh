#!/bin/sh
# All checks, then all tests: the fast ones side by side, those with real processes after them.
set -eu
cd "$(dirname "$0")/.."
start=$(date +%s)
sh scripts/check.sh
echo "checks: $(( $(date +%s) - start )) s"
start=$(date +%s)
.venv/bin/python -m pytest -q -n 2 -m "not e2e" "$@"
echo "tests in process: $(( $(date +%s) - start )) s"
start=$(date +%s)
.venv/bin/python -m pytest -q -m e2e "$@"
echo "tests with real processes and kubectl: $(( $(date +%s) - start )) s"
