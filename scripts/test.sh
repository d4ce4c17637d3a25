#!/bin/sh
# All checks, then all tests: those in one process side by side; those with real processes; those on a real etcd and
# kube-apiserver, beside the same ones on the embedded control plane; a slice of the simulated histories.
# `sh scripts/test.sh -k NAME` hands its words to pytest.
#
# A real control plane is built from Go modules the first time, which takes a quarter of an hour; without Go and without
# KUBEBUILDER_ASSETS the tests that need it are skipped, and one line says how to get it.
set -eu
cd "$(dirname "$0")/.."

timed() {
    told=$1
    shift
    start=$(date +%s)
    status=0
    "$@" || status=$?
    echo "$told: $(( $(date +%s) - start )) s"
    return "$status"
}

real_control_plane() {
    .venv/bin/python tests/envtest/build.py || [ "$?" = 3 ]  # 3: no Go; the tests say so when they skip
}

pytest_or_none() {  # words that select no test here are not a failure
    .venv/bin/python -m pytest -q "$@" || [ "$?" = 5 ]
}

timed "checks" sh scripts/check.sh
timed "real control plane" real_control_plane
timed "tests in process" pytest_or_none -n 2 -m "not e2e and not real and not conformance" "$@"
timed "tests with real processes and kubectl" pytest_or_none -m "e2e and not real" "$@"
timed "conformance" pytest_or_none -m "conformance or real" tests/conformance tests/envtest "$@"
timed "tests on the real control plane" pytest_or_none -m "real" --ignore tests/conformance --ignore tests/envtest "$@"
timed "simulated histories" .venv/bin/python -m jobflow.testing --pairs 50 --seeds 5 --minutes "${SIMULATION_MINUTES:-4}"
