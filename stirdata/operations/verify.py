"""Proving what a dataset on disk is: against its manifest, its layout, and the published data."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stirdata.digest import sha256_of_array
from stirdata.errors import FormatError, MissingFileError, ParameterError, StirdataError
from stirdata.executors import Workers
from stirdata.families import asks, family_of
from stirdata.families.family import Digests, Family, Identity
from stirdata.families.making import without_images
from stirdata.families.recognition import recognize
from stirdata.manifest import (
    EXPORT,
    FOLDER_NAME,
    SUMS_NAME,
    FileEntry,
    Manifest,
    describe_file,
    files_below,
    manifest_path,
)
from stirdata.manifest import load as load_manifest
from stirdata.storage import image_tree
from stirdata.storage.forms import missing
from stirdata.storage.stored import Stored, stand_in

if TYPE_CHECKING:
    from numpy.typing import NDArray

Advance = Callable[[int], None]

_NOT_LISTED = {FOLDER_NAME, SUMS_NAME}
_NAMED = 5


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it should be.

    Attributes:
        kind: ``missing``, ``extra``, ``differs``, ``unreadable``, ``malformed`` or ``unknown``.
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


@dataclass(frozen=True)
class _Content:
    """What is on disk: files by path, digests of the arrays (none if they could not be read), and remarks."""

    files: Mapping[str, FileEntry]
    arrays: Digests
    md5: str | None = None
    findings: tuple[Finding, ...] = ()
    remarks: tuple[str, ...] = ()


def verify(
    path: Path,
    *,
    as_dataset: str | None = None,
    workers: Workers | None = None,
    advance: Advance | None = None,
) -> Report:
    """Recompute every hash of a dataset and say what it is.

    Args:
        path: A .h5 or .npz file, the folder of a PNG tree, or one of npy files; or an export, of which the
            files are compared.
        as_dataset: A name of :func:`stirdata.families.asks`, to ask whether it is that dataset as published
            or pinned, or any of the family of this name; then no manifest is needed.
        workers: Where PNG files are read; None for here.
        advance: Called with the number of images read (PNG trees only).

    Raises:
        MissingFileError: There is no such dataset, or it has no manifest and ``as_dataset`` is None.
        ManifestError: The manifest is not valid.
        FormatError: It is of no family that stirdata knows.
    """
    if as_dataset is not None and as_dataset not in asks():
        raise ParameterError("unknown dataset", where="as", expected=", ".join(asks()), got=as_dataset)
    manifest = _manifest_of(path, needed=as_dataset is None)
    if manifest is not None and manifest.dataset == EXPORT and as_dataset is None and path.is_dir():
        return _verify_export(path, manifest)
    dataset = as_dataset or (manifest.dataset if manifest else "")
    family = family_of(dataset) or recognize(path).family
    content = _inspect(family, path, dataset, workers or Workers(), advance)
    findings = [] if manifest is None else _compare(manifest, content)
    findings += content.findings
    identity = None if content.findings else family.identify(dataset, content.arrays, content.md5)
    if as_dataset is not None and identity is None and not content.findings:
        findings += _explain_difference(family, as_dataset, content.arrays)
    return Report(path, manifest.root if manifest else None, tuple(findings), identity, content.remarks)


def _verify_export(path: Path, manifest: Manifest) -> Report:
    """Compare the files of an export, whose arrays are in forms of other tools, with its manifest."""
    present, leftovers = files_below(path)
    names = {file.relative_to(path).as_posix(): file for file in present}
    content = _Content(_described(names, {}), {}, remarks=_told(path, leftovers))
    told = tuple(
        f"made of {origin.get('name')}" + (f", root digest {origin['root']}" if "root" in origin else "")
        for origin in manifest.sources
    )
    return Report(path, manifest.root, tuple(_compare(manifest, content)), None, (*told, *content.remarks))


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
            hint="use --as " + " or --as ".join(asks()) + " to compare it with what is published or pinned",
        )
    return None


def _inspect(family: Family, path: Path, dataset: str, workers: Workers, advance: Advance | None) -> _Content:
    """Hash the files and arrays of a dataset and check its layout."""
    if not path.exists():
        return _Content({}, {})
    present, leftovers = files_below(path) if path.is_dir() else ([path], [])
    names = {file.relative_to(path).as_posix() if path.is_dir() else file.name: file for file in present}
    remarks = _told(path, leftovers)
    known: dict[str, FileEntry] = {}
    try:
        arrays, hashes, md5 = _read(family, path, known, workers, advance)
    except (FormatError, MissingFileError) as error:
        return _Content(_described(names, known), {}, findings=(_unreadable(path, error),), remarks=remarks)
    form = "png" if md5 is not None else ""
    problems = family.problems(arrays, dataset, form)
    findings = tuple(Finding("malformed", f"array {one.name}", one.expected, one.found) for one in problems)
    if not problems:
        stored = arrays
        remarks += family.difference(dataset, None, hashes, lambda: _whole(family, path, stored))
    return _Content(_described(names, known), hashes, md5, findings, remarks)


def _described(names: Mapping[str, Path], known: Mapping[str, FileEntry]) -> dict[str, FileEntry]:
    return {name: known[name] if name in known else describe_file(file, name) for name, file in names.items()}


def _told(path: Path, leftovers: list[Path]) -> tuple[str, ...]:
    """Name the files that systems have left in the folder, if there are any."""
    if not leftovers:
        return ()
    names = [file.relative_to(path).as_posix() for file in leftovers[:_NAMED]]
    more = ", …" if len(leftovers) > _NAMED else ""
    return (f"ignored, as no part of the dataset: {', '.join(names)}{more}",)


def _read(
    family: Family, path: Path, files: dict[str, FileEntry], workers: Workers, advance: Advance | None
) -> tuple[dict[str, NDArray[Any]], dict[str, str], str | None]:
    """Return the arrays (of images only type and shape), digests, and MD5 of a tree; list its files."""
    layout = family.layout
    if layout.tree is not None and path.is_dir():
        found, tree = image_tree.read(path, layout.tree, workers.processes(), advance)
        files.update({entry.path: entry for entry in tree.files})
        return (
            without_images(family, found),
            {name: sha256_of_array(a) for name, a in found.items()},
            tree.md5,
        )
    stored = family.open(path)
    present = [name for name in layout.names if name in stored.headers]
    small = stored.read([name for name in present if name not in family.images])
    arrays = {
        name: small[name]
        if name in small
        else stand_in(stored.headers[name].shape, stored.headers[name].dtype)
        for name in present
    }
    return arrays, {name: _digest(stored, name, small) for name in present}, None


def _digest(stored: Stored, name: str, read: Mapping[str, NDArray[Any]]) -> str:
    """Hash an array; one that has not been read is read a block at a time."""
    if name in read:
        return sha256_of_array(read[name])
    digest = hashlib.sha256()
    for block in stored.blocks(name):
        digest.update(block.data)
    return digest.hexdigest()


def _whole(family: Family, path: Path, arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    return {**arrays, **family.open(path).read(list(family.images))}


def _unreadable(path: Path, error: StirdataError) -> Finding:
    where = error.where if error.where is not None else path
    got = "" if error.got is None else f" ({error.got})"
    return Finding("unreadable", str(where), str(error.expected or ""), error.what + got)


def compare_arrays(expected: Digests, found: Digests) -> list[Finding]:
    """Compare the digests of arrays by name."""
    findings = []
    for name, sha256 in expected.items():
        if name not in found:
            findings.append(Finding("missing", f"array {name}", f"sha256 {sha256}"))
        elif found[name] != sha256:
            findings.append(Finding("differs", f"array {name}", f"sha256 {sha256}", f"sha256 {found[name]}"))
    return findings


def _explain_difference(family: Family, dataset: str, arrays: Digests) -> list[Finding]:
    """Say in what a dataset differs from the published or pinned one that it was asked to be."""
    reference = family.closest(dataset, arrays) if arrays else None
    if reference is None:
        return []
    if reference.one_of and not reference.arrays:
        return [Finding("unknown", "dataset", reference.one_of, "none of them")]
    findings = compare_arrays(reference.arrays, arrays)
    if reference.one_of:
        return [Finding("unknown", "dataset", reference.title, "another one close to it"), *findings]
    return findings


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
        findings += compare_arrays({name: a.sha256 for name, a in manifest.arrays.items()}, content.arrays)
    return findings


def _file_text(entry: FileEntry) -> str:
    return f"{entry.size} bytes with sha256 {entry.sha256}"
