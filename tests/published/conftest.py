"""Fixtures of the tests that fetch published sets."""

import pytest
from server import Server
from zenodo_site import publish

from stirdata.stir_download import PublishedRequest, fetch_published


@pytest.fixture
def server():
    with Server() as started:
        publish(started)
        yield started


@pytest.fixture
def fetch(server, tmp_path):
    """Fetch sets into ``dest`` and return the files by set; what was said is in ``fetch.said``."""

    def run(*sets, **options):
        options = {"dest": tmp_path / "dest", "base_url": server.url(""), "quiet": True, **options}
        server.requests.clear()
        run.said.clear()
        return dict(fetch_published(PublishedRequest(sets, **options), run.said.append))

    run.said = []
    return run
