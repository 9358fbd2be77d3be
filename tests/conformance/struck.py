"""Writes the small dataset of a family over and over, each time struck by a signal at another step.

A program of its own, which forks: ``python struck.py FAMILY FORM KIND FOLDER [old]``. It prints what came
of it as JSON, for :mod:`test_conformance_faults`.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any

from specimens import target_in

from stirdata import locks
from stirdata.executors import Workers
from stirdata.families import families
from stirdata.families.family import Family, Job
from stirdata.families.making import make_and_save
from stirdata.operations.verify import verify
from stirdata.storage.image_bytes import BlockedArray

EVENTS = {"open", "os.rename", "os.remove", "os.rmdir", "os.mkdir", "shutil.rmtree"}
NEVER = 10**9
A_FEW = 4


def writer(family: Family, form: str, target: Path, **changes: Any) -> Callable[[], Any]:
    """Return a function that writes the small dataset, whose arrays are made here, once."""
    job = family.specimen()
    with Workers(1) as workers:
        made = job.make(workers, lambda count: None)
        made = replace(made, arrays={name: _ready(array) for name, array in made.arrays.items()})
    job = Job(replace(job.description, **changes), lambda workers, advance: made, job.count)
    target.parent.mkdir(exist_ok=True)

    def write() -> None:
        with Workers(1) as workers, locks.locked(target):
            make_and_save(family, job, target, form, workers)

    return write


def _ready(array: Any) -> Any:
    """Return an array whose blocks are there already, if it is made in blocks."""
    if not isinstance(array, BlockedArray):
        return array
    blocks = [block.copy() for block in array.blocks()]
    return replace(array, blocks=lambda: iter(blocks))


def in_child(write: Callable[[], Any], folder: Path, step: int, kind: str) -> tuple[int, list[str]]:
    """Run a function in a fork and strike it at a step; return its exit code and the steps it took.

    A step is a call that changes something below the folder.
    """
    reading, writing = os.pipe()
    process = os.fork()
    if process == 0:
        seen: list[str] = []

        def hook(event: str, arguments: tuple[Any, ...]) -> None:
            looks = event == "open" and not (arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR)
            if event in EVENTS and not looks and any(str(folder) in str(one) for one in arguments):
                seen.append(event)
                if len(seen) == step:
                    signal.raise_signal(getattr(signal, kind))

        sys.addaudithook(hook)
        try:
            write()
        except KeyboardInterrupt:
            os._exit(130)
        os.write(writing, " ".join(seen).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        steps = pipe.read().split()
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), steps


def digest(paths: list[Path], folder: Path) -> str | None:
    """Return one value for all files among some paths, None for no files."""
    found = hashlib.sha256()
    files = sorted(path for path in paths if path.is_file())
    for path in files:
        found.update(f"{path.relative_to(folder)}\n".encode() + hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest() if files else None


def state_of(folder: Path, target: Path) -> tuple[str | None, str | None]:
    """Return the digests of the data and of everything in a folder, hidden files too."""
    everything = list(folder.rglob("*"))
    return digest([path for path in everything if target in (path, *path.parents)], folder), digest(
        everything, folder
    )


def chosen(steps: list[str]) -> list[int]:
    """Return the steps at which to strike: of many alike in a row the first and the last one."""
    found: list[int] = []
    for _, row in groupby(range(1, len(steps) + 1), lambda step: steps[step - 1]):
        alike = list(row)
        found += alike if len(alike) <= A_FEW else [alike[0], alike[-1]]
    return found


def main(name: str, form: str, kind: str, base: str, old: str = "") -> None:
    """Print what every strike left, and what writing once more made of it."""
    family, folder = families()[name], Path(base) / "out"
    target = target_in(folder, form)
    writer(family, form, target_in(Path(base) / "warm", form))()  # so that the forks need not import much
    write = writer(family, form, target)
    if old:
        in_child(writer(family, form, target, citation=["somebody else"]), folder, NEVER, kind)
        shutil.copytree(folder, Path(base) / "old")
    before = state_of(folder, target)
    _, steps = in_child(write, folder, NEVER, kind)
    told: dict[str, Any] = {"before": before, "after": state_of(folder, target), "steps": []}
    for step in chosen(steps):
        shutil.rmtree(folder)
        shutil.copytree(Path(base) / "old", folder) if old else folder.mkdir()
        code, _ = in_child(write, folder, step, kind)
        left = state_of(folder, target)
        proven = not target.exists() or bool(old) or verify(target).ok
        in_child(write, folder, NEVER, kind)
        told["steps"].append((step, code, left, proven, state_of(folder, target)))
    print(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
