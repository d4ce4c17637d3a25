#!/bin/sh
# The same requests, and the same flows, on the embedded control plane and on a real etcd + kube-apiserver. The last line
# of pytest says how many ran on each. Needs Go, or KUBEBUILDER_ASSETS; the first build takes a quarter of an hour.
set -eu
cd "$(dirname "$0")/.."
.venv/bin/python tests/envtest/build.py || [ $? = 3 ]  # 3: no Go; the tests say what is missing when they skip
.venv/bin/python -m pytest -q -m "real or conformance" tests/conformance tests/envtest "$@"
