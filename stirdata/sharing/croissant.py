"""Croissant: what a dataset is and which records it holds, as JSON-LD that search engines and loaders read.

Source: MLCommons, Croissant Format Specification 1.1, 2026, and Croissant RAI Specification 1.0, 2024.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from stirdata.digest import sha256_of_bytes
from stirdata.loading.records import Column, Records
from stirdata.manifest import SUMS_NAME, FileEntry, checksum_lines
from stirdata.sharing.about import About

_CONFORMS_TO = ["http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0"]
# The context that the specification asks for.
_TERMS = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    **{
        name: f"cr:{name}"
        for name in (
            *("arrayShape", "citeAs", "column"),
            *("containedIn", "equivalentProperty", "extract", "field", "fileObject", "fileProperty"),
            *("fileSet", "format", "includes", "isArray", "isLiveDataset", "jsonPath", "key", "md5"),
            *("parentField", "path", "recordSet", "references", "regex", "repeated", "replace"),
            *("samplingRate", "separator", "source", "subField", "transform"),
        )
    },
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "description": {"@container": "@language"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "name": {"@container": "@language"},
    "sc": "https://schema.org/",
}
_LICENSES = {
    "MIT": "https://opensource.org/licenses/MIT",
    "CC0-1.0": "https://creativecommons.org/publicdomain/zero/1.0/",
    "CC0 1.0": "https://creativecommons.org/publicdomain/zero/1.0/",
}
_ENCODINGS = {
    "h5": "application/x-hdf5",
    "npz": "application/zip",
    "npy": "application/octet-stream",
    "csv": "text/csv",
    "png": "image/png",
}
_FEW = 100
"""More files than these are told as a set of files."""
_AUTHOR = r"(?:[A-Z]\.[ -]?)+[^\s.,][^.,]*"


def croissant(about: About, records: Records, *, url: str = "", date: str = "") -> dict[str, Any]:
    """Return the description of a dataset as JSON values.

    Files of arrays have no extraction in Croissant: the fields of the records name the file that holds them.
    Splits and classes are there as data.

    Args:
        about: What the dataset is.
        records: Of the dataset.
        url: Where it is published; empty for the page of the first article that is cited.
        date: When it was published; empty for the year of that article.
    """
    first = about.citation[0] if about.citation else ""
    found = {
        "@context": dict(sorted(_TERMS.items())),
        "@type": "sc:Dataset",
        "conformsTo": _CONFORMS_TO,
        "name": about.dataset,
        "description": _description(about, records),
        "version": f"{about.recipe.get('version', 1)}.0.0",
        "license": license_url(about.license),
        "url": url or page_of(first),
        "datePublished": date or year_of(first),
        "creator": [{"@type": "sc:Person", "name": name} for name in authors_of(first)],
        "citeAs": "\n".join(about.citation),
        "keywords": ["scale equivariance", "scale invariance", "image classification", "benchmark"],
        "isLiveDataset": False,
        **_responsible(about),
        "distribution": list(_distribution(about)),
        "recordSet": [
            _splits(records),
            _classes(records),
            *(_record_sets(about, records) if about.files else ()),
        ],
    }
    return {name: value for name, value in found.items() if value not in ("", [])}


def license_url(license_: str) -> str:
    """Return the address of a license; the text itself for one that has none.

    Examples:
        >>> license_url("CC BY-SA 3.0")
        'https://creativecommons.org/licenses/by-sa/3.0/'
    """
    creative = re.fullmatch(r"CC (BY(?:-NC)?(?:-SA|-ND)?) (\d\.\d)", license_)
    if creative:
        return f"https://creativecommons.org/licenses/{creative[1].lower()}/{creative[2]}/"
    return _LICENSES.get(license_, license_)


def authors_of(citation: str) -> list[str]:
    """Return the authors that a citation begins with.

    Examples:
        >>> authors_of("I. Sosnovik, M. Szmaja, A. Smeulders. Scale-Equivariant Steerable Networks. 2020.")
        ['I. Sosnovik', 'M. Szmaja', 'A. Smeulders']
    """
    listed = re.match(rf"({_AUTHOR}(?:, {_AUTHOR})*)\. ", citation)
    return listed[1].split(", ") if listed else []


def year_of(citation: str) -> str:
    """Return the last year that a citation names; nothing if there is none.

    Examples:
        >>> year_of("S. 1984 and all that. Conference, 2020. arXiv:1910.11093."), year_of("by myself")
        ('2020', '')
    """
    years = re.findall(r"(?<![\d.:])(?:19|20)\d\d(?!\d)", citation)
    return years[-1] if years else ""


def page_of(citation: str) -> str:
    """Return the address of the article that a citation names; nothing if it names none.

    Examples:
        >>> page_of("A. Author. Title. ICLR, 2020. arXiv:1910.11093.")
        'https://arxiv.org/abs/1910.11093'
    """
    number = re.search(r"arXiv:(\d{4}\.\d{4,5})", citation)
    return f"https://arxiv.org/abs/{number[1]}" if number else ""


def _description(about: About, records: Records) -> str:
    splits = ", ".join(f"{split} {count}" for split, count in records.counts.items())
    root = f"Root digest {about.root}." if about.root else ""
    return " ".join(filter(None, [f"{about.title}: {records.summary}; {splits}.", about.identity, root]))


def _responsible(about: About) -> dict[str, str]:
    """Return what is known of how the data came to be and what it is for."""
    found = {
        "rai:dataUseCases": "Measuring how networks recognise objects at scales other than those that they "
        "were trained at.",
    }
    if about.sources:
        found["rai:dataCollection"] = f"Made by a program from {', '.join(about.material)}."
    if about.recipe:
        options = ", ".join(f"{name} {value}" for name, value in about.parameters.items())
        found["rai:dataPreprocessingProtocol"] = (
            f"Recipe {about.recipe.get('name')}, version {about.recipe.get('version')}, seed {about.seed}"
            f"{f'; {options}' if options else ''}."
        )
    return found


def _distribution(about: About) -> Iterator[dict[str, Any]]:
    if len(about.files) <= _FEW:
        yield from (_file(entry) for entry in about.files)
        return
    ends = sorted({entry.path.rpartition(".")[2] for entry in about.files})
    yield _file(_sums(about), "The SHA-256 of every file.")
    for end in ends:
        yield {
            "@type": "cr:FileSet",
            "@id": f"files-{end}",
            "name": f"files-{end}",
            "description": f"The .{end} files; {SUMS_NAME} has the SHA-256 of each.",
            "encodingFormat": _ENCODINGS.get(end, "application/octet-stream"),
            "includes": f"**/*.{end}",
        }


def _sums(about: About) -> FileEntry:
    content = checksum_lines(about.files).encode()
    return FileEntry(SUMS_NAME, len(content), sha256_of_bytes(content))


def _file(entry: FileEntry, description: str = "") -> dict[str, Any]:
    end = entry.path.rpartition(".")[2]
    return {
        "@type": "cr:FileObject",
        "@id": entry.path,
        "name": entry.path,
        **({"description": description} if description else {}),
        "contentUrl": entry.path,
        "contentSize": f"{entry.size} B",
        "encodingFormat": _ENCODINGS.get(end, "text/plain"),
        "sha256": entry.sha256,
    }


def _splits(records: Records) -> dict[str, Any]:
    known = {"train": "cr:TrainingSplit", "test": "cr:TestSplit"}
    return _enumeration(
        "splits",
        "cr:Split",
        [
            {"splits/name": split, "splits/url": known.get(split, "cr:ValidationSplit")}
            for split in records.counts
        ],
        {"name": "sc:Text", "url": "sc:URL"},
    )


def _classes(records: Records) -> dict[str, Any]:
    return _enumeration(
        "classes",
        "sc:Enumeration",
        [
            {"classes/label": label, "classes/name": name}
            for label, name in enumerate(records.dataset.classes)
        ],
        {"label": "sc:Integer", "name": "sc:Text"},
    )


def _enumeration(name: str, kind: str, data: list[dict[str, Any]], fields: dict[str, str]) -> dict[str, Any]:
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "description": f"The {name}, as data.",
        "dataType": kind,
        "key": {"@id": f"{name}/{next(iter(fields))}"},
        "field": [
            {"@type": "cr:Field", "@id": f"{name}/{field}", "name": field, "dataType": type_}
            for field, type_ in fields.items()
        ],
        "data": data,
    }


def _record_sets(about: About, records: Records) -> Iterator[dict[str, Any]]:
    """Yield the record set of every split."""
    for split, count in records.counts.items():
        image = {
            "dataType": ["sc:ImageObject"],
            "description": f"Levels from 0 to 255, {records.image_dtype} {_shape(records.image_shape)}.",
        }
        fields = [_field(about, split, "image", **image), _label(about, split)]
        fields += [_column(about, split, column) for column in records.columns]
        yield {
            "@type": "cr:RecordSet",
            "@id": split,
            "name": split,
            "description": f"The {count} images of the split {split}, in the order in which they are stored.",
            "field": fields,
        }


def _field(about: About, split: str, name: str, **said: Any) -> dict[str, Any]:
    """Return a field whose values are in a file that no extraction reads."""
    field = {"@type": "cr:Field", "@id": f"{split}/{name}", "name": name, **said}
    if len(about.files) > _FEW:
        holder = {"fileSet": {"@id": "files-png"}}
    else:
        own = [entry.path for entry in about.files if entry.path.startswith(f"{split}_")]
        holder = {"fileObject": {"@id": [*own, about.files[0].path][0]}}
    return {**field, "source": {**holder, "extract": {"fileProperty": "content"}}}


def _label(about: About, split: str) -> dict[str, Any]:
    said = {"dataType": "sc:Integer", "description": "Number of the class; below 0 without one."}
    return _field(about, split, "label", **said)


def _column(about: About, split: str, column: Column) -> dict[str, Any]:
    kind = "sc:Float" if column.dtype.startswith("float") else "sc:Integer"
    said: dict[str, Any] = {"dataType": kind, "description": f"{about.meaning(column)} {column.dtype}."}
    if column.shape:
        said |= {"isArray": True, "arrayShape": ",".join(map(str, column.shape))}
    return _field(about, split, column.name, **said)


def _shape(shape: Sequence[int]) -> str:
    return f"({', '.join(map(str, shape))})"
