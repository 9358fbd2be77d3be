"""``stirdata generate stir emoji``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from . import options
from .stir_command import run, shared_options


@click.command("emoji")
@shared_options(
    "emoji",
    "Font Awesome folder, with svgs/regular/ below it or the SVG files in it.  [default: cache or download]",
)
def command(
    out: Path, source_dir: Path | None, seed: int, workers: int | None, quiet: bool, **how: Any
) -> None:
    """Make STIR emoji: 5,184 faces, 3 sets x 48 scales x 36 classes.

    Needs the extra: pip install 'stirdata[emoji]', and the cairo library. The pinned pixels are those
    of cairo 1.16; where another cairo renders otherwise, the command says so.

    Source: Altstidl et al., IJCNN 2023 (arXiv 2211.10288).
    """
    from stirdata.stir_sets import StirRequest, emoji_job

    count = options.worker_count(workers)
    job = emoji_job(StirRequest(source_dir, seed, count, quiet))
    run(job, out, workers=count, quiet=quiet, **how)
