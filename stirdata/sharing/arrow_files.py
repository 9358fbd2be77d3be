"""Files of Arrow tables: Parquet, and the folders of Hugging Face's ``save_to_disk``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stirdata.loading.arrow import features, record_batches, schema
from stirdata.sharing.about import as_text
from stirdata.sharing.targets import Export, Target, encoded_size

_ROWS_TOGETHER = 1024
_BESIDE = 64
"""Bytes of an image's label and columns, with what the format adds."""


class Parquet(Target):
    """``data/<split>-<number>-of-<count>.parquet``; the features are in the schema's metadata."""

    name = "parquet"
    sharded = True
    libraries = ("pyarrow",)
    bytes_depend_on = "the versions of pyarrow and of Python's zlib library"
    files = "data/{split}-*.parquet"
    code = (
        "from datasets import load_dataset\n\n"
        'dataset = load_dataset(".")\n\n'
        "# or\n"
        "import pandas\n\n"
        'train = pandas.read_parquet("data/{first}")'
    )

    def reading(self, export: Export) -> str:
        """Return Python that reads the files, and the first of them."""
        split = next(iter(export.records.counts))
        return self.code.format(first=_shard_name(export, split, 0, "parquet"))

    def features(self, export: Export) -> dict[str, Any]:
        """Return the features."""
        return features(export.records)

    def size(self, export: Export) -> int:
        """Return about how many bytes will be written."""
        return encoded_size(export, _BESIDE)

    def write(self, folder: Path, export: Export) -> None:
        """Write the files."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        (folder / "data").mkdir()
        kinds = schema(export.records)
        for split in export.records.counts:
            for number, batches in _shards(export, split):
                path = folder / "data" / _shard_name(export, split, number, "parquet")
                with pq.ParquetWriter(path, kinds, compression="snappy", use_dictionary=["label"]) as writer:
                    together: list[Any] = []
                    for batch in batches:
                        together.append(batch)
                        if sum(map(len, together)) >= _ROWS_TOGETHER:
                            writer.write_table(pa.Table.from_batches(together, kinds))
                            together = []
                        export.advance(len(batch))
                    if together:
                        writer.write_table(pa.Table.from_batches(together, kinds))


class SavedToDisk(Target):
    """A folder per split with Arrow files, as ``DatasetDict.save_to_disk`` writes it."""

    name = "huggingface"
    sharded = True
    libraries = ("pyarrow",)
    bytes_depend_on = "the versions of pyarrow and of Python's zlib library"
    code = 'from datasets import load_from_disk\n\ndataset = load_from_disk(".")'

    def size(self, export: Export) -> int:
        """Return about how many bytes will be written."""
        return encoded_size(export, _BESIDE)

    def write(self, folder: Path, export: Export) -> None:
        """Write the folders."""
        import pyarrow as pa

        records, about = export.records, export.about
        info = {
            "citation": "\n".join(about.citation),
            "description": about.title,
            "features": features(records),
            "homepage": "",
            "license": about.license,
        }
        for split in records.counts:
            (folder / split).mkdir()
            names = [
                _shard_name(export, split, number, "arrow").replace(split, "data", 1)
                for number in range(export.shard_count(split))
            ]
            for number, batches in _shards(export, split):
                with (
                    (folder / split / names[number]).open("wb") as file,
                    pa.ipc.new_stream(file, schema(records)) as writer,
                ):
                    for batch in batches:
                        writer.write_batch(batch)
                        export.advance(len(batch))
            digest = records.entries[f"{split}/images"].sha256
            (folder / split / "dataset_info.json").write_bytes(as_text(info))
            (folder / split / "state.json").write_bytes(as_text(_state(names, split, digest)))
        (folder / "dataset_dict.json").write_bytes(as_text({"splits": list(records.counts)}))


def _state(names: list[str], split: str, digest: str) -> dict[str, Any]:
    """Return what ``load_from_disk`` reads; the fingerprint, random elsewhere, follows from the images."""
    return {
        "_data_files": [{"filename": name} for name in names],
        "_fingerprint": digest[:16],
        "_format_columns": None,
        "_format_kwargs": {},
        "_format_type": None,
        "_output_all_columns": False,
        "_split": split,
    }


def _shards(export: Export, split: str) -> Iterator[tuple[int, Iterator[Any]]]:
    """Yield the number of each file of a split, and its record batches."""
    for number, parts in export.shards(split):
        yield number, record_batches(export.records, split, parts)


def _shard_name(export: Export, split: str, number: int, end: str) -> str:
    return f"{split}-{number:05}-of-{export.shard_count(split):05}.{end}"
