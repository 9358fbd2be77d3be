"""Exports of a dataset beside the plain way: Pillow for every image, and the library of the format.

``python -m benchmarks.export STIR_FILE [ROUNDS]``: WebDataset with ``tarfile``, Parquet with
``pyarrow.Table.from_pylist``, both of a STIR mnist set at full size. Whole processes are measured, ours with
the verification of the dataset before and a manifest after; nothing is deleted between rounds.
"""

from __future__ import annotations

import io
import json
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.measure import Run, in_turns, median_seconds, run

BOUND = 3.0
_SHARD = 10_000


def _rows(source: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the split of every image, and its record as one would write it by hand."""
    import numpy as np
    from PIL import Image

    import stirdata

    dataset = stirdata.load(source)
    for split in dataset.splits:
        images = dataset.to_numpy(split, dtype=np.uint8, shuffle=False)[0][:, 0]
        latents = dataset.latents(split)
        for number, (image, label) in enumerate(zip(images, dataset.targets(split), strict=True)):
            stream = io.BytesIO()
            Image.fromarray(image).save(stream, format="PNG")
            told = {name: column[number].tolist() for name, column in latents.items()}
            yield split, {"png": stream.getvalue(), "label": int(label), **told}


def plain_web_dataset(source: str, folder: str) -> None:
    """Write shards with ``tarfile``."""
    counts: dict[str, int] = {}
    archives: dict[str, tarfile.TarFile] = {}
    for split, row in _rows(source):
        number = counts.get(split, 0)
        counts[split] = number + 1
        if number % _SHARD == 0:
            if split in archives:
                archives[split].close()
            archives[split] = tarfile.open(Path(folder) / f"{split}-{number // _SHARD:06}.tar", "w")  # noqa: SIM115
        image = row.pop("png")
        contents = {"png": image, "cls": str(row.pop("label")).encode(), "json": json.dumps(row).encode()}
        for end, content in contents.items():
            member = tarfile.TarInfo(f"{number:08}.{end}")
            member.size = len(content)
            archives[split].addfile(member, io.BytesIO(content))
    for archive in archives.values():
        archive.close()


def plain_parquet(source: str, folder: str) -> None:
    """Write files with ``pyarrow``."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows: dict[str, list[dict[str, Any]]] = {}
    for split, row in _rows(source):
        image = {"bytes": row.pop("png"), "path": None}
        rows.setdefault(split, []).append({"image": image, **row})
    for split, records in rows.items():
        for number in range(0, len(records), _SHARD):
            table = pa.Table.from_pylist(records[number : number + _SHARD])
            pq.write_table(table, Path(folder) / f"{split}-{number // _SHARD:05}.parquet")


def main() -> None:
    """Measure and print the ratios beside the bound."""
    if sys.argv[1:2] == ["--plain"]:
        {"webdataset": plain_web_dataset, "parquet": plain_parquet}[sys.argv[2]](*sys.argv[3:5])
        return
    source, rounds = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 3
    with tempfile.TemporaryDirectory() as root:

        def fresh() -> str:
            return tempfile.mkdtemp(dir=root)

        for form in ("webdataset", "parquet"):

            def ours(form: str = form) -> Run:
                target = f"{fresh()}/out"
                command = ["export", source, target, "--to", form, "--shard-size", str(_SHARD), "--quiet"]
                return run([sys.executable, "-m", "stirdata", *command])

            def plain(form: str = form) -> Run:
                return run([sys.executable, "-m", "benchmarks.export", "--plain", form, source, fresh()])

            runs = in_turns(rounds, ours=ours, plain=plain)
            seconds = {name: median_seconds(several) for name, several in runs.items()}
            peaks = {name: max(one.megabytes for one in several) for name, several in runs.items()}
            print(
                f"{form}: {seconds['ours']:.2f} s and {peaks['ours']:.0f} MB, plain {seconds['plain']:.2f} s "
                f"and {peaks['plain']:.0f} MB: {seconds['plain'] / seconds['ours']:.1f}x (at least {BOUND}x)"
            )


if __name__ == "__main__":
    main()
