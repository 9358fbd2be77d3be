"""Datasets as Arrow tables with the features of Hugging Face's ``datasets``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from stirdata.errors import MissingLibraryError
from stirdata.executors import available_cores, threads

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stirdata.loading.dataset import ImageDataset
    from stirdata.loading.records import Part, Records


_IMAGE = ["bytes", "path"]


def features(records: Records) -> dict[str, Any]:
    """Return what ``datasets.Features.from_dict`` takes: an image, a label of a class, and every column."""
    found: dict[str, Any] = {
        "image": {"_type": "Image"},
        "label": {"names": list(records.dataset.classes), "_type": "ClassLabel"},
    }
    for column in records.columns:
        value: dict[str, Any] = {"dtype": column.dtype, "_type": "Value"}
        for length in reversed(column.shape):
            value = {"feature": value, "length": length, "_type": "Sequence"}
        found[column.name] = value
    return found


def schema(records: Records) -> Any:
    """Return the schema of the record batches, whose metadata has the features as ``datasets`` reads them."""
    import pyarrow as pa

    image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    fields = [pa.field("image", image), pa.field("label", pa.int64())]
    for column in records.columns:
        kind = pa.from_numpy_dtype(np.dtype(column.dtype))
        for length in reversed(column.shape):
            kind = pa.list_(kind, length)
        fields.append(pa.field(column.name, kind))
    return pa.schema(fields, {"huggingface": json.dumps({"info": {"features": features(records)}})})


def record_batches(
    records: Records, split: str, encoded: Iterator[tuple[Part, Sequence[bytes]]]
) -> Iterator[Any]:
    """Yield a record batch for every part of a split.

    Args:
        records: Of the dataset.
        split: Name of a split.
        encoded: Parts of it, each with the PNG files of its images.
    """
    import pyarrow as pa

    kinds, labels, values = schema(records), records.labels(split), records.values(split)
    for part, images in encoded:
        own = slice(part.start, part.start + len(part))
        files, paths = pa.array(images, pa.binary()), pa.nulls(len(images), pa.string())
        arrays = [pa.StructArray.from_arrays([files, paths], _IMAGE)]
        arrays.append(pa.array(labels[own]))
        arrays += [_column(values[column.name][own]) for column in records.columns]
        yield pa.RecordBatch.from_arrays(arrays, schema=kinds)


def _column(values: Any) -> Any:
    """Return an array (N, …) as an Arrow array of N values, or of N lists of a fixed length."""
    import pyarrow as pa

    array = pa.array(np.ascontiguousarray(values).reshape(-1))
    for length in reversed(values.shape[1:]):
        array = pa.FixedSizeListArray.from_arrays(array, length)
    return array


def to_hugging_face(dataset: ImageDataset, *, lossy: bool = False) -> Any:
    """Return a dataset as a ``datasets.DatasetDict`` in memory; see :meth:`ImageDataset.to_hf`."""
    from stirdata.loading.records import Records

    try:
        import datasets
        import pyarrow as pa
    except ImportError as error:
        raise MissingLibraryError(
            "the package datasets is missing", where="to_hf", hint="pip install datasets"
        ) from error
    records = Records(dataset)
    found = {}
    with threads(available_cores()) as executor:
        for split in dataset.splits:
            encoded = records.encoded(split, executor, lossy=lossy)
            table = pa.Table.from_batches(list(record_batches(records, split, encoded)), schema(records))
            said = dataset.metadata
            info = datasets.DatasetInfo(
                description=str(said["title"]),
                citation=str(said.get("citation", "")),
                license=str(said.get("license", "")),
                features=datasets.Features.from_dict(features(records)),
            )
            found[split] = datasets.Dataset(table, info=info, split=datasets.NamedSplit(split))
    return datasets.DatasetDict(found)
