"""Small sources in the layouts of the official ones, and the sums that make stirdata take them for these."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from pathlib import Path

import numpy as np
import pytest

from stirdata.manifest import pinned
from stirdata.sources import cifar10, stl10

CIFAR_IMAGES = 20
STL_COUNTS = {"train": 12, "test": 15}
UNLABELED = 7


def cifar_files() -> dict[str, bytes]:
    """Return the six files of a small CIFAR-10, by name in the archive."""
    values = np.random.RandomState(10)
    names = [name for files in cifar10.BATCHES.values() for name in files]
    found = {}
    for name in names:
        records = values.randint(0, 256, (CIFAR_IMAGES, 3073)).astype(np.uint8)
        records[:, 0] = np.arange(CIFAR_IMAGES) % 10
        found[f"{cifar10.FOLDER}/{name}"] = records.tobytes()
    return {**found, f"{cifar10.FOLDER}/batches.meta.txt": b"airplane\n"}


def stl_files() -> dict[str, bytes]:
    """Return the files of a small STL-10, by name in the archive."""
    values = np.random.RandomState(96)
    found = {f"{stl10.FOLDER}/class_names.txt": b"airplane\nbird\n"}
    for subset, count in {"test": STL_COUNTS["test"], "train": STL_COUNTS["train"]}.items():
        pixels = values.randint(0, 256, (count, 3 * 96 * 96)).astype(np.uint8)
        found[f"{stl10.FOLDER}/{subset}_X.bin"] = pixels.tobytes()
        found[f"{stl10.FOLDER}/{subset}_y.bin"] = (np.arange(count) % 10 + 1).astype(np.uint8).tobytes()
    folds = "\n".join(" ".join(str(position) for position in range(5)) for _ in range(3))
    found[f"{stl10.FOLDER}/fold_indices.txt"] = folds.encode()
    unlabeled = values.randint(0, 256, (UNLABELED, 3 * 96 * 96)).astype(np.uint8)
    found[f"{stl10.FOLDER}/unlabeled_X.bin"] = unlabeled.tobytes()
    return found


def tar(path: Path, files: dict[str, bytes]) -> Path:
    """Write a .tar.gz archive."""
    with tarfile.open(path, "w:gz", compresslevel=1) as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return path


def unpack(folder: Path, files: dict[str, bytes]) -> Path:
    """Write the files of an archive into a folder."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def md5(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()


def fake_cifar(folder: Path, patched: pytest.MonkeyPatch) -> Path:
    """Write a small CIFAR-10 archive that is taken for the official one; return its folder."""
    path = tar(folder / "cifar-10-binary.tar.gz", cifar_files())
    facts = {**pinned("cifar10")["archive"], "md5": md5(path.read_bytes()), "size": path.stat().st_size}
    patched.setitem(pinned("cifar10"), "archive", facts)
    patched.setattr(cifar10, "PER_FILE", CIFAR_IMAGES)
    return folder


def fake_stl(folder: Path, patched: pytest.MonkeyPatch) -> Path:
    """Write a small STL-10 archive whose files are taken for the official ones; return its folder."""
    files = stl_files()
    tar(folder / "stl10_binary.tar.gz", files)
    sums = {name: md5(files[f"{stl10.FOLDER}/{name}"]) for name in pinned("stl10")["md5"]}
    patched.setitem(pinned("stl10"), "md5", sums)
    patched.setattr(stl10, "COUNTS", STL_COUNTS)
    patched.setattr(stl10, "UNLABELED", UNLABELED)
    patched.setattr(stl10, "FOLDS", (3, 5))
    return folder


def fake_fashion(folder: Path, patched: pytest.MonkeyPatch, files: dict[str, bytes]) -> Path:
    """Write gzipped IDX files, by part, that are taken for those of Fashion-MNIST; return their folder."""
    facts = {}
    for part, known in pinned("fashion-mnist")["files"].items():
        content = files[part]
        (folder / known["name"]).write_bytes(content)
        size = len(gzip.decompress(content))
        facts[part] = {**known, "md5": md5(content), "size_decompressed": size}
    patched.setitem(pinned("fashion-mnist"), "files", facts)
    return folder
