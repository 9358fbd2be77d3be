"""Dataset cards: a README.md with the head that Hugging Face reads."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from stirdata.loading.records import Records
from stirdata.sharing.about import About

_LICENSES = {
    "MIT": "mit",
    "CC0-1.0": "cc0-1.0",
    "CC0 1.0": "cc0-1.0",
    "CC BY 4.0": "cc-by-4.0",
    "CC BY-SA 3.0": "cc-by-sa-3.0",
    "CC BY-SA 4.0": "cc-by-sa-4.0",
    "CC BY-NC 4.0": "cc-by-nc-4.0",
    "CC BY-NC-SA 4.0": "cc-by-nc-sa-4.0",
}
"""What Hugging Face calls licenses. Source: the list of licenses in its hub's documentation."""
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


def card(
    about: About,
    records: Records,
    *,
    reading: str,
    verifying: str,
    head: Mapping[str, Any] | None = None,
    features: Mapping[str, Any] | None = None,
    notes: Sequence[str] = (),
) -> bytes:
    """Return the text of a README.md.

    Args:
        about: What the dataset is.
        records: Of the dataset.
        reading: Python that reads it.
        verifying: Shell commands that prove it.
        head: Further entries of the head.
        features: As ``datasets`` has them, where its loader reads the files.
        notes: What else is to be known, a sentence each.
    """
    entries = {**_head(about, records), **(head or {})}
    if features is not None:
        entries["dataset_info"] = {
            "features": [{"name": name, **_kind(kind)} for name, kind in features.items()],
            "splits": [{"name": split, "num_examples": count} for split, count in records.counts.items()],
        }
    body = "\n".join(_body(about, records, reading, verifying, notes))
    return f"---\n{_yaml(entries)}---\n\n{body}".encode()


def license_id(license_: str) -> str:
    """Return what Hugging Face calls a license: ``other`` for those that it does not know."""
    return _LICENSES.get(license_, "other")


def _head(about: About, records: Records) -> dict[str, Any]:
    count = sum(records.counts.values())
    known = license_id(about.license)
    return {
        "pretty_name": about.title,
        "license": known,
        **({"license_name": about.license} if known == "other" else {}),
        "task_categories": ["image-classification"],
        "tags": ["scale-equivariance", "scale-invariance", "benchmark", about.dataset],
        "size_categories": [next((name for most, name in _SIZES if count < most), "n>1M")],
    }


def _kind(feature: Mapping[str, Any]) -> dict[str, Any]:
    """Return a feature as the heads of cards have it."""
    kind = feature["_type"]
    if kind == "ClassLabel":
        return {
            "dtype": {"class_label": {"names": {str(at): name for at, name in enumerate(feature["names"])}}}
        }
    if kind == "Sequence":
        return {"list": feature["feature"]["dtype"], "length": feature["length"]}
    return {"dtype": "image" if kind == "Image" else feature["dtype"]}


def _yaml(value: Any, depth: int = 0) -> str:
    """Return mappings and lists as YAML in block style; texts in quotes, as JSON has them."""
    pad = "  " * depth
    if isinstance(value, Mapping):
        items = [(f"{pad}{_key(name)}:", entry) for name, entry in value.items()]
    else:
        items = [(f"{pad}-", entry) for entry in value]
    lines = ""
    for begin, entry in items:
        if isinstance(entry, Mapping | list) and entry:
            nested = _yaml(entry, depth + 1)
            joined = begin.endswith("-")  # the first line of an entry stands behind its dash
            lines += f"{begin} {nested[2 * depth + 2 :]}" if joined else f"{begin}\n{nested}"
        else:
            lines += f"{begin} {json.dumps(entry, ensure_ascii=False)}\n"
    return lines


def _key(name: str) -> str:
    return json.dumps(name) if name.isdecimal() else name


def _body(
    about: About, records: Records, reading: str, verifying: str, notes: Sequence[str]
) -> Iterator[str]:
    yield f"# {about.title}\n"
    count = sum(records.counts.values())
    yield f"{count:,} {records.summary}."
    if about.identity:
        yield f"\n{about.identity}"
    yield "\n| split | images |\n|---|---|"
    yield from (f"| {split} | {number:,} |" for split, number in records.counts.items())
    yield "\n| of every image | type | |\n|---|---|---|"
    yield f"| image | {records.image_dtype} {_shape(records.image_shape)} | Levels from 0 to 255. |"
    yield "| label | int64 | Number of the class, from 0; below 0 for an image without one. |"
    for column in records.columns:
        yield f"| {column.name} | {column.dtype} {_shape(column.shape)} | {about.meaning(column)} |"
    yield f"\nThe classes: {', '.join(records.dataset.classes)}."
    yield f"\n## Read it\n\n```python\n{reading}\n```"
    yield f"\n## Prove it\n\n```sh\n{verifying}\n```"
    if about.root:
        yield f"\nRoot digest of the dataset: `{about.root}`."
    yield from (f"\n{note}" for note in notes)
    yield f"\n## License\n\n{about.license}"
    if about.citation:
        yield "\n## Citation\n"
        yield from (f"- {line}" for line in about.citation)
    yield ""


def _shape(shape: Sequence[int]) -> str:
    return f"({', '.join(map(str, shape))})" if shape else ""
