"""Fixtures of the tests that fetch published sets."""

import pytest
from server import Server
from zenodo_site import publish

from stirdata.families.stir.published import published_files
from stirdata.transfer.published import PublishedRequest


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
        return dict(published_files().fetch(PublishedRequest(sets, **options), run.said.append))

    run.said = []
    return run
