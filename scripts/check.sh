#!/bin/sh
# Formatting, lint, types, layers; stops at the first that fails.
set -eu
cd "$(dirname "$0")/.."
.venv/bin/ruff format --check .
.venv/bin/ruff check .
.venv/bin/mypy
.venv/bin/lint-imports
