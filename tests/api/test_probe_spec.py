"""What users write of a probe, and what the engine asks for it."""

from __future__ import annotations

import pytest

from jobflow.api.probe_spec import ProbeSpec, probes_of
from jobflow.api.probes import HttpCheck, Timing

HTTP = {"host": "model", "port": 8443}


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        pytest.param(HTTP, HttpCheck("http", 8443, "/"), id="by default a GET of / without TLS"),
        pytest.param(HTTP | {"scheme": "HTTPS"}, HttpCheck("https", 8443, "/"), id="with TLS the certificate counts"),
        pytest.param(
            HTTP | {"scheme": "HTTPS", "insecureSkipVerify": True},
            HttpCheck("https", 8443, "/", verify=False),
            id="unless it is not to",
        ),
        pytest.param(
            HTTP | {"method": "HEAD", "acceptedStatus": "200-299", "path": "/health?deep=1"},
            HttpCheck("http", 8443, "/health?deep=1", "HEAD", accepted=(200, 299)),
            id="another method, fewer good answers",
        ),
    ],
)
def test_a_request(written, meant):
    assert probes_of(ProbeSpec.model_validate({"httpGet": written})).network[0].check == meant


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        pytest.param({}, Timing(5, 1, 0, 1, 3), id="the defaults"),
        pytest.param(
            {
                "periodSeconds": 10,
                "timeoutSeconds": 2,
                "initialDelaySeconds": 30,
                "successThreshold": 4,
                "failureThreshold": 60,
            },
            Timing(period=10, timeout=2, initial_delay=30, successes=4, failures=60),
            id="all of them",
        ),
    ],
)
def test_when_it_is_asked(written, meant):
    assert probes_of(ProbeSpec.model_validate({"httpGet": HTTP} | written)).timing == meant
