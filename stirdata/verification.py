"""Proving what a dataset on disk is: against its manifest, and against the published data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from stirdata.digest import sha256_of_array
from stirdata.errors import FormatError, MissingFileError, ParameterError, StirdataError
from stirdata.executors import InProcess
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
from stirdata.pinned import pinned
from stirdata.storage import mnist_scale as storage
from stirdata.storage import png_tree

_NOT_LISTED = {FOLDER_NAME, SUMS_NAME}
DATASETS = (storage.DATASET,)


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it should be.

    Attributes:
        kind: ``missing``, ``extra``, ``differs``, ``unreadable`` or ``unknown``.
        name: The file or array.
        expected: What should have been there, if anything.
        found: What is there.
    """

    kind: str
    name: str
    expected: str = ""
    found: str = ""

    def sentence(self) -> str:
        """Return the finding as one line."""
        parts = [f"{self.kind}: {self.name}"]
        parts += [f"expected {self.expected}"] if self.expected else []
        parts += [f"found {self.found}"] if self.found else []
        return ", ".join(parts)


@dataclass(frozen=True)
class Identity:
    """Which published realization a dataset is.

    Attributes:
        dataset: ``mnist-scale``.
        seed: Of the published realization whose pixels and labels these are.
        arrays: Names of the arrays that were compared and are equal.
        published_md5: Of the PNG tree.
        found_md5: Of the tree that was verified; None for other formats.
    """

    dataset: str
    seed: int
    arrays: tuple[str, ...]
    published_md5: str
    found_md5: str | None

    @property
    def other_encoder(self) -> bool:
        """Whether the pixels are right but the PNG files come from another encoder."""
        return self.found_md5 is not None and self.found_md5 != self.published_md5

    def as_json(self) -> dict[str, Any]:
        """Return the identity as JSON values."""
        return asdict(self) | {"other_encoder": self.other_encoder}

    def sentence(self) -> str:
        """Return the identity as one line."""
        text = f"this is the published {self.dataset} realization of seed {self.seed}: "
        if self.found_md5 is None:
            return text + "pixels, labels and scales are equal"
        if self.other_encoder:
            return (
                text + "pixels and labels are equal; the PNG files come from another encoder, so that their "
                f"MD5 is {self.found_md5}, not the published {self.published_md5}"
            )
        return (
            text + f"pixels and labels are equal, and the PNG files have the published MD5 {self.found_md5}"
        )


@dataclass(frozen=True)
class Report:
    """What verification found out.

    Attributes:
        path: The dataset.
        root: Root digest of its manifest, or None if it has none.
        findings: Everything that is wrong.
        identity: The published realization that it is, or None.
    """

    path: Path
    root: str | None
    findings: tuple[Finding, ...]
    identity: Identity | None

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
        }


@dataclass(frozen=True)
class _Content:
    """What is on disk: hashes of files and arrays, and why the arrays could not be read, if so."""

    files: dict[str, FileEntry]
    arrays: dict[str, str]
    md5: str | None = None
    unreadable: Finding | None = None


def outputs_below(path: Path) -> list[Path]:
    """Return the datasets that a path names: itself, or those in a folder.

    In a folder they are known by their manifests; PNG trees without one, by the published layout.

    Raises:
        MissingFileError: There is no dataset in the folder.
    """
    if path.name == FOLDER_NAME:
        return [path.parent]
    if path.name.endswith(FILE_SUFFIX):
        return [path.with_name(path.name.removesuffix(FILE_SUFFIX))]
    if not path.is_dir():
        return [path]
    if (path / FOLDER_NAME).exists() or png_tree.looks_like_tree(path):
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
            hint="name the dataset itself; with --as mnist-scale it needs no manifest",
        )
    return sorted(visible)


def verify(
    path: Path,
    *,
    as_dataset: str | None = None,
    executor: Executor | None = None,
    advance: Callable[[int], None] | None = None,
) -> Report:
    """Recompute every hash of a dataset and say what it is.

    Args:
        path: A .h5 or .npz file, or the folder of a PNG tree.
        as_dataset: ``mnist-scale`` to ask whether it is one of the published realizations; then no
            manifest is needed.
        executor: Where PNG files are read.
        advance: Called with the number of images read (PNG trees only).

    Raises:
        MissingFileError: There is no such dataset, or it has no manifest and ``as_dataset`` is None.
        ManifestError: The manifest is not valid.
    """
    if as_dataset is not None and as_dataset not in DATASETS:
        raise ParameterError("unknown dataset", where="as", expected=", ".join(DATASETS), got=as_dataset)
    manifest = _manifest_of(path, needed=as_dataset is None)
    content = _inspect(path, executor or InProcess(), advance)
    findings = [] if manifest is None else _compare(manifest, content)
    if content.unreadable:
        findings.append(content.unreadable)
    identity = _identify(content)
    if as_dataset is not None and identity is None:
        findings += _explain_difference(content)
    return Report(path, manifest.root if manifest else None, tuple(findings), identity)


def _manifest_of(path: Path, *, needed: bool) -> Manifest | None:
    manifest = manifest_path(path)
    if manifest.exists():
        return load_manifest(manifest)
    if not path.exists():
        raise MissingFileError("there is no such file or folder", where=path)
    if needed:
        raise MissingFileError(
            "the dataset has no manifest",
            where=path,
            expected=manifest,
            hint="use --as mnist-scale to compare it with the published realizations",
        )
    return None


def _inspect(path: Path, executor: Executor, advance: Callable[[int], None] | None) -> _Content:
    if path.is_dir():
        return _inspect_tree(path, executor, advance)
    if not path.exists():
        return _Content({}, {})
    files = {path.name: describe_file(path, path.name)}
    try:
        arrays = storage.load(path, executor)
        storage.check_arrays(path, arrays)
    except StirdataError as error:
        return _Content(files, {}, unreadable=_unreadable(path, error))
    return _Content(files, {name: sha256_of_array(array) for name, array in arrays.items()})


def _inspect_tree(folder: Path, executor: Executor, advance: Callable[[int], None] | None) -> _Content:
    present = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    try:
        arrays, tree = png_tree.read(folder, executor, advance)
    except (FormatError, MissingFileError) as error:
        files = {name: describe_file(path, name) for name, path in present.items()}
        return _Content(files, {}, unreadable=_unreadable(folder, error))
    files = {entry.path: entry for entry in tree.files}
    files |= {name: describe_file(path, name) for name, path in present.items() if name not in files}
    return _Content(files, {name: sha256_of_array(array) for name, array in arrays.items()}, tree.md5)


def _unreadable(path: Path, error: StirdataError) -> Finding:
    where = error.where if error.where is not None else path
    got = "" if error.got is None else f" ({error.got})"
    return Finding("unreadable", str(where), str(error.expected or ""), error.what + got)


def _compare(manifest: Manifest, content: _Content) -> list[Finding]:
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
        findings += _compare_arrays({name: a.sha256 for name, a in manifest.arrays.items()}, content.arrays)
    return findings


def _compare_arrays(expected: Mapping[str, str], found: Mapping[str, str]) -> list[Finding]:
    findings = []
    for name, sha256 in expected.items():
        if name not in found:
            findings.append(Finding("missing", f"array {name}", f"sha256 {sha256}"))
        elif found[name] != sha256:
            findings.append(Finding("differs", f"array {name}", f"sha256 {sha256}", f"sha256 {found[name]}"))
    return findings


def _file_text(entry: FileEntry) -> str:
    return f"{entry.size} bytes with sha256 {entry.sha256}"


def identify(manifest: Manifest) -> Identity | None:
    """Return the published realization that a manifest describes, by its array digests."""
    arrays = {name: entry.sha256 for name, entry in manifest.arrays.items()}
    return _identify(_Content({}, arrays, manifest.checksums.get(storage.MD5_NAME)))


def _identify(content: _Content) -> Identity | None:
    """Return the published realization that the arrays are, however they got here."""
    for seed, facts in _published().items():
        needed = [name for name in facts["arrays"] if name.endswith(("images", "labels"))]
        shared = tuple(name for name in facts["arrays"] if name in content.arrays)
        equal = all(content.arrays[name] == facts["arrays"][name] for name in shared)
        if equal and set(needed) <= set(shared):
            return Identity(storage.DATASET, int(seed), shared, facts[storage.MD5_NAME], content.md5)
    return None


def _explain_difference(content: _Content) -> list[Finding]:
    """Say in what a dataset differs from the published realization that it comes closest to."""

    def differences(facts: Mapping[str, Any]) -> list[Finding]:
        return _compare_arrays(
            {name: sha for name, sha in facts["arrays"].items() if name in content.arrays}, content.arrays
        )

    if not content.arrays:
        return []
    seed, facts = min(_published().items(), key=lambda item: len(differences(item[1])))
    if len(differences(facts)) == len(set(facts["arrays"]) & set(content.arrays)):
        return [Finding("unknown", "dataset", "one of the six published realizations", "none of them")]
    closest = Finding(
        "unknown", "dataset", f"the published realization of seed {seed}", "another one close to it"
    )
    return [closest, *differences(facts)]


def _published() -> dict[str, Any]:
    realizations: dict[str, Any] = pinned("mnist-scale")["realizations"]
    return realizations
