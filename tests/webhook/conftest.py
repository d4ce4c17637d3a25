"""An API server in memory, with the kinds and the configuration that the webhook works on."""

from __future__ import annotations

import pytest

from jobflow.api.crd import product_crds
from jobflow.api.resources import CUSTOM_RESOURCE_DEFINITION, NAMESPACE
from jobflow.clock import SystemClock
from jobflow.deploy.admission import configuration
from jobflow.kube.client import Client
from jobflow.local.apiserver.server import ApiServer
from jobflow.webhook.keeper import CONFIGURATION


@pytest.fixture
async def server():
    async with ApiServer(SystemClock()) as running:
        yield running


@pytest.fixture
async def cluster(server):
    """A client of that server."""
    client = Client(server.transport(), SystemClock())
    for crd in product_crds():
        await client.create(CUSTOM_RESOURCE_DEFINITION, None, crd)
    await client.create(NAMESPACE, None, {"metadata": {"name": "jobflow-system"}})
    await client.create(CONFIGURATION, None, configuration())
    return client
