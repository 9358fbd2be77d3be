"""Work on a Dask cluster, and workers that die."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from photographs import enough_signs

from stirdata.errors import MissingLibraryError, SourceError, WorkersUnavailableError
from stirdata.executors import dask_cluster, map_ordered, processes
from stirdata.families.stir import trafficsign as stir_trafficsign
from stirdata.families.stir.crops import render
from stirdata.sources import mapillary

pytestmark = pytest.mark.filterwarnings("default")  # Dask warns of its own affairs


@pytest.fixture(scope="module", params=["threads", "processes"])
def cluster(request: pytest.FixtureRequest, local_cluster: Callable[..., Any]) -> Iterator[str]:
    """Return the address of a local cluster of two workers."""
    with local_cluster(processes=request.param == "processes") as local:
        yield local.scheduler_address


def test_results_come_back_in_order(cluster: str) -> None:
    items = [np.full((3, 4), number) for number in range(40)]
    with dask_cluster(cluster) as (executor, slots):
        assert slots == 2
        found = list(map_ordered(executor, np.negative, items, ahead=2 * slots))
    np.testing.assert_array_equal(np.stack(found), -np.stack(items))


def test_errors_come_back_from_a_cluster(cluster: str, tmp_path: Path) -> None:
    signs = enough_signs()
    signs.pictures["pic016"] = signs.pictures["pic016"][:2000]
    plan = stir_trafficsign.plan(mapillary.load(signs.write(tmp_path)))
    with (
        pytest.raises(SourceError, match=r"pic016\.jpg in .*train\.1\.zip"),
        dask_cluster(cluster) as (executor, _),
    ):
        render(plan, stir_trafficsign.rows(), executor)


def test_cluster_without_workers(local_cluster: Callable[..., Any]) -> None:
    with (
        local_cluster(n_workers=0) as empty,
        pytest.raises(WorkersUnavailableError, match="no workers"),
        dask_cluster(empty.scheduler_address),
    ):
        pass


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nonsense://127.0.0.1", "127.0.0.1:notaport"])
def test_scheduler_that_does_not_answer(address: str) -> None:
    pytest.importorskip("distributed", reason="distributed is not installed: no Dask cluster")
    with (
        pytest.raises(WorkersUnavailableError, match="cannot be reached"),
        dask_cluster(address, timeout=0.5),
    ):
        pass


def test_library_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingLibraryError, match=r"stirdata\[dask\]"), dask_cluster("tcp://127.0.0.1:9"):
        pass


@pytest.mark.skipif(sys.platform == "win32", reason="asks for a process by a signal")
def test_workers_end_with_their_parent() -> None:
    """A killed command must not leave processes behind that wait for work for ever."""
    script = (
        "import os, time\n"
        "from stirdata.executors import processes\n"
        "if __name__ == '__main__':\n"
        "    with processes(2) as executor:\n"
        "        print(executor.submit(os.getpid).result(), flush=True)\n"
        "        time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        worker = int(parent.stdout.readline())
        parent.kill()
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and _runs(worker):
        time.sleep(0.05)
    assert not _runs(worker)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{process}/stat")  # where nobody reaps an orphan, it stays as a zombie
    return not (state.is_file() and state.read_text().rpartition(")")[2].split()[0] == "Z")


def test_worker_that_dies() -> None:
    with pytest.raises(WorkersUnavailableError, match="a worker died"), processes(2) as executor:
        list(map_ordered(executor, os._exit, [1, 1, 1]))
