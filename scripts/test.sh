#!/bin/sh
# All checks, then all tests: those in one process side by side; those with real processes; a slice of the simulated
# histories. `sh scripts/test.sh -k NAME` hands its words to pytest. The comparison with a real etcd and kube-apiserver
# is scripts/conformance.sh, because building those takes many minutes the first time.
set -eu
cd "$(dirname "$0")/.."

timed() {
    told=$1
    shift
    start=$(date +%s)
    "$@"
    echo "$told: $(( $(date +%s) - start )) s"
}

timed "checks" sh scripts/check.sh
timed "tests in process" .venv/bin/python -m pytest -q -n 2 -m "not e2e and not real and not conformance" "$@"
timed "tests with real processes and kubectl" .venv/bin/python -m pytest -q -m "e2e and not real" "$@"
timed "simulated histories" .venv/bin/python -m jobflow.testing --pairs 50 --seeds 5 --minutes "${SIMULATION_MINUTES:-4}"
