"""The original MNIST files, or others that come as four IDX files: in a folder, the cache, or downloaded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from stirdata.cache import HOME_VARIABLE, cache_folder
from stirdata.digest import md5_of_bytes, sha256_of_bytes
from stirdata.errors import MissingFileError, SourceError, SourceUnavailableError
from stirdata.executors import threads
from stirdata.manifest import pinned
from stirdata.sources import idx
from stirdata.sources.idx import DigitImages
from stirdata.transfer.remote import RemoteFile

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from stirdata.sources.labelled import LabelledImages

PARTS = ("train-images", "train-labels", "t10k-images", "t10k-labels")
TRAINING = 60_000
"""Images of the training files; 10,000 test images follow."""


class _Stream(NamedTuple):
    path: Path
    data: bytes
    sums: dict[str, str]


@dataclass(frozen=True)
class IdxFiles:
    """Four IDX files of 60,000 training and 10,000 test images, whose sums are published.

    Attributes:
        name: Of the source, and of its facts in ``stirdata.manifests``: per file ``sha256_decompressed``, by
            which it is accepted however it is compressed, or else ``md5`` of the file as it is published.
        title: As people write it.
    """

    name: str
    title: str

    def load(
        self,
        source_dir: Path | str | None = None,
        *,
        cache: Path | str | None = None,
        download: bool = True,
        quiet: bool = False,
    ) -> DigitImages:
        """Return the images, every file accepted by its published sum.

        Args:
            source_dir: A folder with the four IDX files, gzipped or not, named with ``-`` or ``.`` before
                ``idx``; also a folder with ``MNIST/raw`` below it, as torchvision lays it out. If None,
                the cache is used.
            cache: The cache folder; see :func:`stirdata.cache.cache_folder`.
            download: Download into the cache what is not there.
            quiet: Show no progress bars.

        Returns:
            Images uint8 (70000, 28, 28), labels uint8 (70000,).

        Raises:
            MissingFileError: ``source_dir`` lacks some of the files; all of them are named.
            SourceError: A file is truncated, corrupt or another one.
            SourceUnavailableError: Not in the cache, and not to be downloaded.
        """
        if source_dir is not None:
            paths = self._find_all(Path(source_dir))
        else:
            paths = self._cached(cache, download, quiet)
        with threads(len(PARTS)) as executor:
            reading = executor.map(self._read, PARTS, paths)
            try:
                return self._assemble(dict(zip(PARTS, reading, strict=True)))
            except SourceError as error:
                if source_dir is not None:
                    raise
                raise SourceError(
                    f"{error.what}, in the cache",
                    where=error.where,
                    expected=error.expected,
                    got=error.got,
                    hint="delete this file; it is downloaded again when it is needed",
                ) from error

    def labelled(self, source_dir: Path | None = None) -> LabelledImages:
        """Return the source for recipes that take any; see :func:`stirdata.sources.labelled.open_source`."""
        from stirdata.sources.labelled import LabelledImages, Subset

        def read(quiet: bool) -> dict[str, Subset]:
            images, labels = vars(self.load(source_dir, quiet=quiet)).values()
            first, last = slice(TRAINING), slice(TRAINING, None)
            return {
                "train": Subset.of(images[first], labels[first]),
                "test": Subset.of(images[last], labels[last]),
            }

        counts = {"train": TRAINING, "test": 10_000}
        return LabelledImages(self.classes, counts, (28, 28), self.describe(), read)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names in the order of the labels."""
        return tuple(pinned(self.name).get("classes", idx.CLASS_NAMES))

    def describe(self) -> dict[str, Any]:
        """Return name, hashes, license and citation, for manifests."""
        facts = pinned(self.name)
        published = "sha256_decompressed" if "sha256_decompressed" in facts["files"][PARTS[0]] else "md5"
        return {
            "name": self.name,
            published.removesuffix("_decompressed"): {part: self._facts(part)[published] for part in PARTS},
            "license": facts["license"],
            "citation": facts["citation"],
        }

    def folder_in(self, cache: Path) -> Path:
        """Return the folder of the files in a cache."""
        return cache / self.name

    def remote_files(self) -> list[RemoteFile]:
        """Return the four files as they are downloaded."""
        return [self._remote_file(part) for part in PARTS]

    def _remote_file(self, part: str) -> RemoteFile:
        facts = self._facts(part)
        return RemoteFile(
            facts["name"], pinned(self.name)["mirrors"], facts["size"], lambda path: self._check(part, path)
        )

    def _facts(self, part: str) -> dict[str, Any]:
        facts: dict[str, Any] = pinned(self.name)["files"][part]
        return facts

    def _find_all(self, folder: Path) -> list[Path]:
        found = find_parts(folder, self.title)
        missing = [self._facts(part)["name"] for part in PARTS if part not in found]
        if missing:
            raise MissingFileError(
                f"{len(missing)} of the 4 {self.title} files are missing",
                where=folder,
                expected=", ".join(missing),
                got="no such files (nor their other names: without .gz, with . before idx)",
                hint="put the missing files there, or leave out --source-dir to use the cache",
            )
        return [found[part] for part in PARTS]

    def _cached(self, cache: Path | str | None, download: bool, quiet: bool) -> list[Path]:
        folder = self.folder_in(cache_folder(cache))
        present = find_parts(folder, self.title) if folder.is_dir() else {}
        missing = [part for part in PARTS if part not in present]
        if missing and not download:
            raise self._unavailable("it is not in the cache, and downloading is off", folder)
        for part in missing:
            try:
                self._remote_file(part).fetch(folder, quiet=quiet)
            except SourceUnavailableError as error:
                raise self._unavailable(f"{error.what}:\n            {error.got}", folder) from error
        return self._find_all(folder)

    def _check(self, part: str, path: Path) -> None:
        self._accept(part, self._read(part, path))

    def _unavailable(self, reason: str, folder: Path) -> SourceUnavailableError:
        return SourceUnavailableError(
            f"{self.title} is not available",
            where=folder,
            expected=f"the four {self.title} files in the cache, or a mirror that can be reached",
            got=reason,
            hint="name a folder with the four files by --source-dir DIR, or set "
            f"{HOME_VARIABLE} to a cache that has them, or use --source synthetic",
        )

    def _read(self, part: str, path: Path) -> _Stream:
        facts = self._facts(part)
        data = idx.read_stream(path, facts["size_decompressed"])
        if "sha256_decompressed" in facts:
            return _Stream(path, data, {"sha256_decompressed": sha256_of_bytes(data)})
        return _Stream(path, data, {"md5": md5_of_bytes(path.read_bytes())})

    def _assemble(self, streams: dict[str, _Stream]) -> DigitImages:
        """Parse and check the four streams; say what is wrong in the most telling terms."""
        import numpy as np

        arrays = {part: parse_part(part, stream.data, stream.path) for part, stream in streams.items()}
        for subset in ("train", "t10k"):
            check_lengths(
                arrays[f"{subset}-images"], arrays[f"{subset}-labels"], streams[f"{subset}-labels"].path
            )
        for part, stream in streams.items():
            self._accept(part, stream)
        return DigitImages(
            images=np.concatenate([arrays["train-images"], arrays["t10k-images"]]),
            labels=np.concatenate([arrays["train-labels"], arrays["t10k-labels"]]),
        )

    def _accept(self, part: str, stream: _Stream) -> None:
        """Raise SourceError unless a file has its published sum."""
        ((kind, found),) = stream.sums.items()
        expected = self._facts(part)[kind]
        if found == expected:
            return
        name, decompressed, _ = kind.partition("_decompressed")
        behind = " of the decompressed stream" if decompressed else ""
        raise SourceError(
            f"the file is not the original {self.title} file",
            where=stream.path,
            expected=f"{name} {expected}{behind}",
            got=f"{name} {found}",
            hint="leave out --source-dir to use the original files; other data in the same format are read "
            "by --source idx --source-dir DIR, and are named as what they are",
        )


def find_parts(folder: Path, title: str) -> dict[str, Path]:
    """Return the files of a folder by part, under any of the names they go by.

    Raises:
        MissingFileError: There is no such folder.
    """
    if not folder.is_dir():
        raise MissingFileError(
            "the source folder does not exist", where=folder, hint=f"name a folder with the {title} files"
        )
    found = {part: _find(folder, part) for part in PARTS}
    return {part: path for part, path in found.items() if path is not None}


def _find(folder: Path, part: str) -> Path | None:
    kind = "idx3" if part.endswith("images") else "idx1"
    names = [f"{part}{sign}{kind}-ubyte{end}" for end in ("", ".gz") for sign in "-."]
    folders = (folder, folder / "MNIST" / "raw", folder / "FashionMNIST" / "raw", folder / "raw")
    return next((place / name for place in folders for name in names if (place / name).is_file()), None)


def parse_part(part: str, data: bytes, path: Path) -> NDArray[np.uint8]:
    """Return the images or labels in a stream."""
    return idx.parse(data, path, 3 if part.endswith("images") else 1)


def check_lengths(images: NDArray[np.uint8], labels: NDArray[np.uint8], path: Path) -> None:
    """Raise SourceError unless there is one label for each image."""
    if len(labels) != len(images):
        raise SourceError(
            "images and labels are of different length",
            where=path,
            expected=f"{len(images)} labels, one per image",
            got=f"{len(labels)} labels",
            hint="one of the two belongs to something else: get both again from the same place",
        )


FASHION_MNIST = IdxFiles("fashion-mnist", "Fashion-MNIST")
"""Source: H. Xiao, K. Rasul, R. Vollgraf, "Fashion-MNIST", arXiv 1708.07747."""
MNIST = IdxFiles("mnist", "MNIST")
"""Source: Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits"."""
load = MNIST.load
labelled = MNIST.labelled
describe = MNIST.describe
folder_in = MNIST.folder_in
remote_files = MNIST.remote_files
