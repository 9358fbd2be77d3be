"""What a dataset can be exported to: what each form is called, what it needs, and what it cannot hold."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from stirdata.errors import MissingLibraryError
from stirdata.imaging import png
from stirdata.loading.records import Part, Records, as_bytes
from stirdata.sharing import FORMS
from stirdata.sharing.about import About

_SAMPLED = 256
_MARGIN = 1.1


@dataclass(frozen=True)
class Export:
    """One export: what of, and how.

    Attributes:
        records: Of the dataset.
        about: What the dataset is.
        shard_size: Images per file at most, where a split may be several files.
        lossy: Whether what the form cannot hold may be lost.
        executor: Threads that encode.
        advance: Called with the number of images written, now and then.
    """

    records: Records
    about: About
    shard_size: int
    lossy: bool
    executor: Executor
    advance: Callable[[int], None]

    def shard_count(self, split: str) -> int:
        """Return how many files a split is."""
        return -(-self.records.counts[split] // self.shard_size)

    def shards(self, split: str) -> Iterator[tuple[int, Iterator[tuple[Part, list[bytes]]]]]:
        """Yield the number of each file of a split, and its images some at a time, with their PNG files."""
        encoded = self.records.encoded(split, self.executor, within=self.shard_size, lossy=self.lossy)
        return groupby(encoded, lambda item: item[0].start // self.shard_size)


class Target(ABC):
    """A form that other tools read.

    Attributes:
        name: On the command line.
        sharded: Whether a split may be several files.
        libraries: Packages that write it, by whose versions the bytes may differ.
        bytes_depend_on: What has to be the same, beside the dataset, for the files to have the same bytes.
        files: Pattern of the files of ``{split}``, for ``load_dataset``; empty where it does not read them.
        code: Python that reads it, where it is the current folder; ``{split}`` is its first split.
    """

    name: ClassVar[str]
    sharded: ClassVar[bool] = False
    libraries: ClassVar[tuple[str, ...]] = ()
    bytes_depend_on: ClassVar[str] = ""
    files: ClassVar[str] = ""
    code: ClassVar[str]

    def check_installed(self) -> None:
        """Raise MissingLibraryError if a package is missing that writes the form."""
        for library in self.libraries:
            if find_spec(library) is None:
                raise MissingLibraryError(
                    f"the package {library} is missing, which writes this form",
                    where=self.name,
                    hint="pip install 'stirdata[export]'",
                )

    def losses(self, export: Export) -> list[str]:
        """Return what the form cannot hold of a dataset, one sentence each."""
        return []

    @abstractmethod
    def size(self, export: Export) -> int:
        """Return about how many bytes will be written, rather too many than too few."""

    @abstractmethod
    def write(self, folder: Path, export: Export) -> None:
        """Write all files but those that say what the dataset is into an empty folder."""

    def head(self, export: Export) -> Mapping[str, object]:
        """Return what goes to the head of the dataset card, by which ``load_dataset`` finds the files."""
        if not self.files:
            return {}
        files = [{"split": split, "path": self.files.format(split=split)} for split in export.records.counts]
        return {"configs": [{"config_name": "default", "data_files": files}]}

    def features(self, export: Export) -> Mapping[str, Any] | None:
        """Return the features for the head of the card, where ``load_dataset`` takes them from there."""
        return None

    def reading(self, export: Export) -> str:
        """Return Python that reads what was written."""
        return self.code.format(split=next(iter(export.records.counts)))


def target_named(name: str) -> Target:
    """Return what writes one of :data:`stirdata.sharing.FORMS`."""
    module, _, attribute = FORMS[name].partition(":")
    target: Target = getattr(import_module(module), attribute)()
    return target


def encoded_size(export: Export, overhead: int) -> int:
    """Return about how many bytes the images take as PNG files, by some of them.

    Args:
        export: The export.
        overhead: Bytes beside every image.
    """
    total = 0.0
    for split, count in export.records.counts.items():
        numbers = np.linspace(0, count - 1, min(count, _SAMPLED)).round().astype(np.int64)
        images = export.records.dataset.read(split, numbers)
        sizes = [len(file) for file in png.compressed(as_bytes(images, lossy=True, where=split))]
        total += count * (_MARGIN * float(np.mean(sizes)) + overhead) if sizes else 0
    return int(total)
