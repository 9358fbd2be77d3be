"""Proving what a dataset on disk is: against its manifest, its schema, and the published data."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from stirdata import pinned_stir, published_mnist_scale
from stirdata.digest import sha256_of_array
from stirdata.errors import FormatError, MissingFileError, ParameterError, StirdataError
from stirdata.executors import InProcess
from stirdata.findings import Content, Finding, Identity, compare_arrays, unreadable
from stirdata.manifest import (
    FILE_SUFFIX,
    FOLDER_NAME,
    SUMS_NAME,
    FileEntry,
    Manifest,
    describe_file,
    manifest_path,
)
from stirdata.manifest import load as load_manifest
from stirdata.storage import mnist_scale as storage
from stirdata.storage import png_tree
from stirdata.storage import stir as stir_storage
from stirdata.storage.forms import missing
from stirdata.storage.stir_members import looks_like_set

__all__ = ["DATASETS", "Finding", "Identity", "Report", "identify", "outputs_below", "verify"]

_NOT_LISTED = {FOLDER_NAME, SUMS_NAME}
DATASETS = (storage.DATASET, *pinned_stir.NAMES)
"""What ``--as`` can ask for."""


@dataclass(frozen=True)
class Report:
    """What verification found out.

    Attributes:
        path: The dataset.
        root: Root digest of its manifest, or None if it has none.
        findings: Everything that is wrong.
        identity: The published or pinned dataset that it is, or None.
        remarks: Further facts, one line each.
    """

    path: Path
    root: str | None
    findings: tuple[Finding, ...]
    identity: Identity | None
    remarks: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether everything is as it should be."""
        return not self.findings

    def as_json(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return {
            "path": str(self.path),
            "ok": self.ok,
            "root": self.root,
            "published": self.identity.as_json() if self.identity else None,
            "findings": [asdict(finding) for finding in self.findings],
            "remarks": list(self.remarks),
        }


def outputs_below(path: Path) -> list[Path]:
    """Return the datasets that a path names: itself, or those in a folder.

    In a folder they are known by their manifests; PNG trees and sets of npy files without one, by their
    layout.

    Raises:
        MissingFileError: There is no dataset in the folder.
    """
    if path.name == FOLDER_NAME:
        return [path.parent]
    if path.name.endswith(FILE_SUFFIX):
        return [path.with_name(path.name.removesuffix(FILE_SUFFIX))]
    if not path.is_dir():
        return [path]
    if is_dataset_folder(path):
        return [path]
    found = [file.parent for file in path.rglob(FOLDER_NAME)]
    found += [file.with_name(file.name.removesuffix(FILE_SUFFIX)) for file in path.rglob(f"*{FILE_SUFFIX}")]
    layouts = ("seed_*/scale_*", "MNIST_scale/seed_*/scale_*")
    found += [tree for layout in layouts for tree in path.glob(layout) if png_tree.looks_like_tree(tree)]
    visible = {output for output in found if not output.name.startswith(".")}
    if not visible:
        raise MissingFileError(
            "there is no dataset with a manifest in this folder",
            where=path,
            hint="name the dataset itself; with --as mnist-scale or --as stir it needs no manifest",
        )
    return sorted(visible)


def is_dataset_folder(folder: Path) -> bool:
    """Tell whether a folder itself is a dataset, by its manifest or its layout."""
    return (folder / FOLDER_NAME).exists() or png_tree.looks_like_tree(folder) or looks_like_set(folder)


def verify(
    path: Path,
    *,
    as_dataset: str | None = None,
    executor: Executor | None = None,
    advance: Callable[[int], None] | None = None,
) -> Report:
    """Recompute every hash of a dataset and say what it is.

    Args:
        path: A .h5 or .npz file, the folder of a PNG tree, or one of the npy files of a STIR set.
        as_dataset: One of :data:`DATASETS`, to ask whether it is one of the published realizations of
            ``mnist-scale``, the pinned ``stir-mnist`` or ``stir-emoji``, or any set in the format of
            ``stir``; then no manifest is needed.
        executor: Where PNG files are read.
        advance: Called with the number of images read (PNG trees only).

    Raises:
        MissingFileError: There is no such dataset, or it has no manifest and ``as_dataset`` is None.
        ManifestError: The manifest is not valid.
    """
    if as_dataset is not None and as_dataset not in DATASETS:
        raise ParameterError("unknown dataset", where="as", expected=", ".join(DATASETS), got=as_dataset)
    manifest = _manifest_of(path, needed=as_dataset is None)
    dataset = as_dataset or (manifest.dataset if manifest else storage.DATASET)
    content = _inspect(path, dataset, executor or InProcess(), advance)
    findings = [] if manifest is None else _compare(manifest, content)
    findings += content.findings
    identity = _identify(dataset, content)
    if as_dataset is not None and identity is None and not content.findings:
        findings += _explain_difference(as_dataset, content)
    return Report(path, manifest.root if manifest else None, tuple(findings), identity, content.remarks)


def identify(manifest: Manifest) -> Identity | None:
    """Return the published or pinned dataset that a manifest describes, by its array digests."""
    arrays = {name: entry.sha256 for name, entry in manifest.arrays.items()}
    return _identify(manifest.dataset, Content({}, arrays, manifest.checksums.get(storage.MD5_NAME)))


def _identify(dataset: str, content: Content) -> Identity | None:
    if dataset == storage.DATASET:
        return published_mnist_scale.identify(content)
    return pinned_stir.identify(dataset, content)


def _explain_difference(dataset: str, content: Content) -> list[Finding]:
    if dataset == storage.DATASET:
        return published_mnist_scale.explain_difference(content)
    return pinned_stir.explain_difference(dataset, content)


def _manifest_of(path: Path, *, needed: bool) -> Manifest | None:
    manifest = manifest_path(path)
    if manifest.exists():
        return load_manifest(manifest)
    if not path.exists():
        raise missing(path)
    if needed:
        raise MissingFileError(
            "the dataset has no manifest",
            where=path,
            expected=manifest,
            hint="use --as " + " or --as ".join(DATASETS) + " to compare it with what is published or pinned",
        )
    return None


def _inspect(path: Path, dataset: str, executor: Executor, advance: Callable[[int], None] | None) -> Content:
    if not path.exists():
        return Content({}, {})
    if dataset != storage.DATASET:
        return _inspect_set(path, dataset)
    if path.is_dir():
        return _inspect_tree(path, executor, advance)
    files = {path.name: describe_file(path, path.name)}
    try:
        arrays = storage.load(path, executor)
        storage.check_arrays(path, arrays)
    except StirdataError as error:
        return Content(files, {}, findings=(unreadable(path, error),))
    return Content(files, {name: sha256_of_array(array) for name, array in arrays.items()})


def _inspect_set(path: Path, dataset: str) -> Content:
    present = _files_in(path) if path.is_dir() else {path.name: path}
    files = {name: describe_file(found, name) for name, found in present.items()}
    try:
        arrays, hashes = stir_storage.hashed(path)
        return pinned_stir.inspect(dataset, files, arrays, hashes, lambda: stir_storage.load(path))
    except (FormatError, MissingFileError) as error:
        return Content(files, {}, findings=(unreadable(path, error),))


def _files_in(folder: Path) -> dict[str, Path]:
    return {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}


def _inspect_tree(folder: Path, executor: Executor, advance: Callable[[int], None] | None) -> Content:
    present = _files_in(folder)
    try:
        arrays, tree = png_tree.read(folder, executor, advance)
        storage.check_arrays(folder, arrays)
    except (FormatError, MissingFileError) as error:
        files = {name: describe_file(path, name) for name, path in present.items()}
        return Content(files, {}, findings=(unreadable(folder, error),))
    files = {entry.path: entry for entry in tree.files}
    files |= {name: describe_file(path, name) for name, path in present.items() if name not in files}
    return Content(files, {name: sha256_of_array(array) for name, array in arrays.items()}, tree.md5)


def _compare(manifest: Manifest, content: Content) -> list[Finding]:
    findings = []
    for entry in manifest.files:
        found = content.files.get(entry.path)
        if found is None:
            findings.append(Finding("missing", entry.path, _file_text(entry)))
        elif found != entry:
            findings.append(Finding("differs", entry.path, _file_text(entry), _file_text(found)))
    listed = {entry.path for entry in manifest.files} | _NOT_LISTED
    findings += [
        Finding("extra", name, found=_file_text(entry))
        for name, entry in sorted(content.files.items())
        if name not in listed
    ]
    if content.arrays:
        findings += compare_arrays({name: a.sha256 for name, a in manifest.arrays.items()}, content.arrays)
    return findings


def _file_text(entry: FileEntry) -> str:
    return f"{entry.size} bytes with sha256 {entry.sha256}"
