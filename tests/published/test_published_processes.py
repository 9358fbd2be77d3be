"""Fetching the published STIR files in several processes, and in some that are stopped."""

import os
import signal
import subprocess
import sys
import time

import pytest
from server import Reply
from zenodo_site import API, BESIDE, EMOJI, npz_of, paths, whole

from stirdata import atomic
from stirdata.transfer import zenodo_record

RUN = """\
import sys
from stirdata.families.stir.published import published_files
from stirdata.transfer.published import PublishedRequest
request = PublishedRequest(("emoji",), base_url=sys.argv[1], dest=__import__("pathlib").Path(sys.argv[2]))
print(*(file.already_there for _, file in published_files().fetch(request)))
"""


def start(server, dest):
    return subprocess.Popen(
        [sys.executable, "-c", RUN, server.url(""), str(dest)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_several_processes_make_one_transfer(server, tmp_path, content_of):
    server.add(EMOJI, Reply(npz_of("emoji"), pace=len(npz_of("emoji"))))
    running = [start(server, tmp_path / "dest") for _ in range(4)]
    done = [process.communicate(timeout=60) for process in running]
    assert sorted(out for out, _ in done) == ["False\n", "True\n", "True\n", "True\n"], done
    assert paths(server) == [API, EMOJI]
    assert set(content_of(tmp_path / "dest")) == BESIDE | whole("emoji")


@pytest.mark.skipif(os.name == "nt", reason="signals are others there")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT] if os.name != "nt" else [])
def test_stopped_transfer_is_gone_on_with(server, fetch, tmp_path, content_of, number):
    content = npz_of("emoji")
    server.add(EMOJI, Reply(content, pace=len(content) / 5), Reply(content))
    process = start(server, tmp_path / "dest")
    partial = atomic.partial_of(tmp_path / "dest" / "emoji.npz")
    deadline = time.monotonic() + 30
    while not (partial.exists() and partial.stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(number)
    process.communicate(timeout=30)
    kept = partial.stat().st_size
    assert 0 < kept < len(content)
    fetch("emoji")
    assert server.requests[1].range == f"bytes={kept}-"
    assert set(content_of(tmp_path / "dest")) == BESIDE | whole("emoji")


def test_stop_between_file_and_lock_is_made_good(fetch, server, tmp_path, monkeypatch, content_of):
    with monkeypatch.context() as patched:
        patched.setattr(zenodo_record, "write_lock", lambda *arguments: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            fetch("emoji")
    assert set(content_of(tmp_path / "dest")) == {"emoji.npz"}
    assert fetch("emoji")["emoji"].already_there
    assert paths(server) == [API]
    assert set(content_of(tmp_path / "dest")) == BESIDE | whole("emoji")
