"""``stirdata generate stir trafficsign``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from . import options
from .stir_command import run, shared_options


@click.command("trafficsign")
@shared_options(
    "trafficsign",
    "Folder with the four archives of pictures and mtsd_v2_fully_annotated/.",
    source_required=True,
)
@options.dask
def command(
    out: Path, source_dir: Path, seed: int, workers: int | None, dask: str | None, quiet: bool, **how: Any
) -> None:
    """Make STIR trafficsign: signs cut out of photographs of streets, 3 sets x 48 scales x 25 instances.

    Needs the fully annotated set of the Mapillary Traffic Sign Dataset v2: train.0.zip, train.1.zip,
    train.2.zip and val.zip as they were downloaded, and the folder mtsd_v2_fully_annotated/.

    Written is what the published recipe makes when its random numbers begin at --seed; it never
    seeded them, so the published file itself cannot be made again.

    Source: Altstidl et al., IJCNN 2023 (arXiv 2211.10288).
    """
    from stirdata.stir_photographs import trafficsign_job
    from stirdata.stir_sets import StirRequest

    count = options.worker_count(workers)
    job = trafficsign_job(StirRequest(source_dir, seed, count, quiet), dask)
    run(job, out, workers=count, quiet=quiet, **how)
