"""``stirdata generate stir aerial``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from . import options
from .stir_command import run, shared_options


@click.command("aerial")
@shared_options(
    "aerial",
    "Folder with train/ and val/, which hold the archives.",
    source_required=True,
)
@options.dask
def command(
    out: Path, source_dir: Path, seed: int, workers: int | None, dask: str | None, quiet: bool, **how: Any
) -> None:
    """Make STIR aerial: objects cut out of aerial photographs, 3 sets x 48 scales x 25 instances.

    Needs DOTA v1.5 as it was downloaded: the archives DOTA-v1.5_train.zip, part1.zip, part2.zip and
    part3.zip in the folder train/, DOTA-v1.5_val.zip and part1.zip in the folder val/.

    Written is what the published recipe makes when its random numbers begin at --seed; it never
    seeded them, so the published file itself cannot be made again.

    Source: Altstidl et al., IJCNN 2023 (arXiv 2211.10288).
    """
    from stirdata.stir_photographs import aerial_job
    from stirdata.stir_sets import StirRequest

    count = options.worker_count(workers)
    job = aerial_job(StirRequest(source_dir, seed, count, quiet), dask)
    run(job, out, workers=count, quiet=quiet, **how)
