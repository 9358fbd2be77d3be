"""A transfer over loopback, against a plain loop of requests that writes and hashes the same bytes.

Run as ``python -m benchmarks.fetch [--megabytes N] [--rounds N] [--folder DIR]``. A process of its own
serves the bytes; both clients are whole processes, which run in turns, so that noise hits both, and time
themselves without their start. The plain loop does not bring its file safely to the disk, which stirdata
does; ``--plain-flushes`` lets it. The limits of the project are 70 % of the plain loop's throughput and a
peak of memory that does not grow with the file.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import NamedTuple

LIMIT_RATIO = 0.7
SMALL_MEGABYTES = 50
LIMIT_GROWTH_MEGABYTES = 5

_OURS = """
import sys, time
from pathlib import Path
import requests
from stirdata.transfer.fetch import fetch
url, target, md5, sha256 = sys.argv[1:5]
started = time.perf_counter()
fetch([url], Path(target), hashes={"md5": md5, "sha256": sha256}, limit=10**12, quiet=True)
print(time.perf_counter() - started)
"""

_PLAIN = """
import hashlib, os, sys, time
import requests
url, target, md5, sha256, flushes = sys.argv[1:6]
started = time.perf_counter()
hashes = [hashlib.md5(), hashlib.sha256()]
with requests.get(url, stream=True, timeout=30) as response, open(target, "wb") as file:
    for chunk in response.iter_content(1 << 18):
        file.write(chunk)
        for value in hashes:
            value.update(chunk)
    if flushes == "yes":
        file.flush()
        os.fsync(file.fileno())
assert [value.hexdigest() for value in hashes] == [md5, sha256]
print(time.perf_counter() - started)
"""


class Measured(NamedTuple):
    """Seconds of a transfer, and peak resident memory of its process in MB (10**6 bytes)."""

    seconds: float
    megabytes: float


def main() -> None:
    """Measure and print the ratio and the peaks of memory."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--megabytes", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", type=Path, help="where the files go; by default a temporary folder")
    parser.add_argument("--plain-flushes", action="store_true", help="let the plain loop flush as well")
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        serve(arguments.serve)
        return
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        flushes = "yes" if arguments.plain_flushes else "no"
        ours, plain = in_turns(Path(name), arguments.megabytes, arguments.rounds, flushes)
        (small,), _ = in_turns(Path(name), SMALL_MEGABYTES, 1, flushes)
    report(arguments.megabytes, ours, plain, small)


def serve(path: Path) -> None:
    """Serve a file at every address until killed; print the port first."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(path.stat().st_size))
            self.end_headers()
            self.wfile.flush()
            with path.open("rb") as file:
                self.connection.sendfile(file)

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - as it is there
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_port, flush=True)
    server.serve_forever()


@contextmanager
def served(path: Path) -> Iterator[str]:
    """Serve a file from another process; yield its URL."""
    command = [sys.executable, "-m", "benchmarks.fetch", "--serve", str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}/file"
        finally:
            process.kill()


def in_turns(
    folder: Path, megabytes: int, rounds: int, flushes: str
) -> tuple[list[Measured], list[Measured]]:
    """Fetch a file of random bytes by stirdata and by the plain loop, several times; return what it took."""
    source = folder / "source"
    hashes = write_random(source, megabytes)
    ours, plain = [], []
    with served(source) as url:
        for _ in range(rounds):
            ours.append(measure(folder, _OURS, url, *hashes))
            plain.append(measure(folder, _PLAIN, url, *hashes, flushes))
    return ours, plain


def write_random(path: Path, megabytes: int) -> tuple[str, str]:
    """Write a file; return its MD5 and SHA-256."""
    values = hashlib.md5(usedforsecurity=False), hashlib.sha256()
    with path.open("wb") as file:
        for piece in iter(partial(os.urandom, 10**6), b""):
            if file.tell() == megabytes * 10**6:
                break
            file.write(piece)
            for value in values:
                value.update(piece)
    return values[0].hexdigest(), values[1].hexdigest()


def measure(folder: Path, script: str, url: str, *arguments: str) -> Measured:
    """Run a client to its end."""
    place = folder / "into"
    place.mkdir()
    command = [sys.executable, "-c", script, url, str(place / "file"), *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    printed = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    shutil.rmtree(place)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return Measured(float(printed), usage.ru_maxrss * 1024 / 1e6)


def report(megabytes: int, ours: list[Measured], plain: list[Measured], small: Measured) -> None:
    """Print what came out, beside the limits."""
    seconds = {"stirdata": ours, "plain loop": plain}
    for name, runs in seconds.items():
        median = statistics.median(run.seconds for run in runs)
        print(f"{name:11}{megabytes} MB in {median:5.2f} s, {megabytes / median:5.0f} MB/s")
    ratio = statistics.median(other.seconds / own.seconds for own, other in zip(ours, plain, strict=True))
    print(f"throughput {ratio:.2f} of the plain loop (limit {LIMIT_RATIO})")
    peak, theirs = (max(run.megabytes for run in runs) for runs in (ours, plain))
    print(
        f"peak memory {peak:.1f} MB, with {SMALL_MEGABYTES} MB {small.megabytes:.1f} MB"
        f" (limit {LIMIT_GROWTH_MEGABYTES} MB more); the plain loop {theirs:.1f} MB"
    )


if __name__ == "__main__":
    main()
