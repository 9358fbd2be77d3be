"""``stirdata generate stir mnist``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from . import options
from .stir_command import run, shared_options


@click.command("mnist")
@shared_options("mnist", "Folder with the four MNIST files.  [default: cache or download]")
def command(
    out: Path, source_dir: Path | None, seed: int, workers: int | None, quiet: bool, **how: Any
) -> None:
    """Make STIR mnist: 72,000 digits, 3 sets x 48 scales x 10 classes x 50 instances.

    With the default seed the pixels are pinned: they are the same on every machine.

    Source: Altstidl et al., IJCNN 2023 (arXiv 2211.10288).
    """
    from stirdata.stir_sets import StirRequest, mnist_job

    count = options.worker_count(workers)
    job = mnist_job(StirRequest(source_dir, seed, count, quiet))
    run(job, out, workers=count, quiet=quiet, **how)
