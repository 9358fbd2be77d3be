"""Making datasets on disk: from a source through a recipe into storage, once and completely."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from stirdata import atomic
from stirdata.errors import FormatError, ParameterError
from stirdata.executors import map_ordered, processes, threads
from stirdata.families.mnist_scale import recipe
from stirdata.manifest import Manifest
from stirdata.outputs import Outcome, standing_outcome
from stirdata.sources import mnist
from stirdata.sources import synthetic_cache as synthetic
from stirdata.storage import mnist_scale as storage
from stirdata.storage import png_tree
from stirdata.verification import Identity, identify

if TYPE_CHECKING:
    from stirdata.sources.digits import DigitImages

Advance = Callable[[int], None]


@dataclass(frozen=True)
class MNISTScaleRequest:
    """Which realizations of MNIST-scale to make, from what, and where to put them.

    Attributes:
        seeds: One realization each; the published ones are 0 to 5.
        min_scale: Smallest scale factor, above 0.
        max_scale: Largest scale factor.
        source: ``mnist`` or ``synthetic``.
        source_dir: Folder with the MNIST files; None for the cache or a download.
        out: Folder below which ``MNIST_scale/seed_<seed>/`` is made.
        form: ``h5``, ``npz`` or ``png``.
        force: Replace outputs that exist and are something else.
        workers: Threads and processes to use; the bytes do not depend on it.
        quiet: Show no progress bars.
    """

    seeds: tuple[int, ...]
    min_scale: float = recipe.MIN_SCALE
    max_scale: float = recipe.MAX_SCALE
    source: str = "mnist"
    source_dir: Path | None = None
    out: Path = Path()
    form: str = "h5"
    force: bool = False
    workers: int = 1
    quiet: bool = False

    def target(self, seed: int) -> Path:
        """Return the path of one realization."""
        return storage.target_path(self.out, seed, self.min_scale, self.max_scale, self.form)

    def description(self, seed: int) -> storage.Description:
        """Return what the manifest will say of one realization, known before it is made."""
        source = mnist.describe() if self.source == "mnist" else synthetic.describe()
        return storage.Description(
            recipe={"name": recipe.RECIPE, "version": recipe.RECIPE_VERSION},
            seed=int(seed),
            parameters={"min_scale": float(self.min_scale), "max_scale": float(self.max_scale)},
            sources=[source],
            license=source["license"],
            citation=[recipe.CITATION, source["citation"]],
        )

    def is_published(self, seed: int) -> bool:
        """Tell whether a realization is one that the authors published a checksum of."""
        scales = (self.min_scale, self.max_scale)
        default = (recipe.MIN_SCALE, recipe.MAX_SCALE)
        return self.source == "mnist" and seed in recipe.PUBLISHED_SEEDS and scales == default

    def check(self) -> None:
        """Raise ParameterError if the request makes no sense."""
        for seed in self.seeds:
            recipe.check_parameters(seed, self.min_scale, self.max_scale)
        for name, value, known in (
            ("source", self.source, ("mnist", "synthetic")),
            ("form", self.form, storage.FORMATS),
        ):
            if value not in known:
                raise ParameterError(f"unknown {name}", where=name, expected=", ".join(known), got=value)
        if self.workers < 1:
            raise ParameterError("too few workers", where="workers", expected="1 or more", got=self.workers)
        if self.source == "synthetic" and self.source_dir is not None:
            raise ParameterError(
                "the synthetic source needs no folder",
                where="source_dir",
                got=self.source_dir,
                hint="leave out --source-dir, or use --source mnist",
            )


def generate_mnist_scale(request: MNISTScaleRequest, advance: Advance | None = None) -> Iterator[Outcome]:
    """Make realizations of MNIST-scale on disk and yield them in the order of the seeds.

    Args:
        request: What to make.
        advance: Called with the number of images finished, from any thread, now and then.

    Raises:
        ParameterError: A parameter makes no sense; nothing has been written.
        TargetExistsError: An output exists and is not what was asked for.
        TargetError: An output cannot be written.
        SourceError: The source is damaged or another one.
        SourceUnavailableError: The source can be neither found nor downloaded.
        FormatError: The pixels of a published realization came out different.
    """
    request.check()
    at_once = max(1, min(request.workers, len(request.seeds)))
    with ExitStack() as stack:
        stack.enter_context(atomic.no_empty_parents(request.target(0)))  # which several seeds share
        encoders = stack.enter_context(processes(request.workers if request.form == "png" else 1))
        maker = _Maker(request, encoders, request.workers // at_once, advance or (lambda count: None))
        executor = stack.enter_context(threads(at_once))
        yield from map_ordered(executor, maker.make, request.seeds, ahead=at_once, stop=maker.stop)


class _StoppedError(Exception):
    """Nobody waits for this realization any more."""


class _Maker:
    """Makes one realization at a time per thread; the source is loaded once, when first needed."""

    def __init__(
        self, request: MNISTScaleRequest, encoders: Executor, threads_each: int, advance: Advance
    ) -> None:
        self._request = request
        self._encoders = encoders
        self._threads = threads_each
        self._shown = advance
        self._stopping = threading.Event()
        self._digits: DigitImages | None = None
        self._loading = threading.Lock()

    def stop(self) -> None:
        """Let realizations that are under way end, and remove what they wrote, at their next step."""
        self._stopping.set()

    def _advance(self, count: int) -> None:
        if self._stopping.is_set():
            raise _StoppedError
        self._shown(count)

    def make(self, seed: int) -> Outcome:
        target, description = self._request.target(seed), self._request.description(seed)
        with atomic.locked(target):
            atomic.restore_folder(target)
            standing = standing_outcome(target, description, self._encoders, force=self._request.force)
            if standing is not None:
                self._advance(sum(recipe.PUBLISHED_SIZES))
                return standing
            return self._write(target, description)

    def _write(self, target: Path, description: storage.Description) -> Outcome:
        """Compute and save one realization; the slower of the two steps moves the progress bar."""
        request, seed = self._request, description.seed
        computed, saved = (None, self._advance) if request.form == "png" else (self._advance, None)
        digits = self._source()
        splits = recipe.generate(
            digits.images,
            digits.labels,
            seed,
            request.min_scale,
            request.max_scale,
            workers=self._threads,
            advance=computed,
        )
        identity: list[Identity | None] = []
        manifest = storage.save(
            target,
            recipe.as_arrays(splits),
            description,
            request.form,
            executor=self._encoders,
            advance=saved,
            accept=lambda manifest: identity.append(self._identify(manifest)),
        )
        return Outcome(target, seed, manifest.root, False, identity[0])

    def _identify(self, manifest: Manifest) -> Identity | None:
        identity = identify(manifest)
        if identity is None and self._request.is_published(manifest.seed):
            raise FormatError(
                "the pixels are not those of the published realization; nothing was written",
                expected=f"the arrays of seed {manifest.seed} in manifests/mnist-scale.json",
                hint="this machine or its NumPy computes differently; please report it",
            )
        return identity

    def _source(self) -> DigitImages:
        with self._loading:
            if self._digits is None:
                self._digits = self._load()
            return self._digits

    def _load(self) -> DigitImages:
        if self._request.form == "png":
            for _ in range(self._request.workers):  # they start up while the digits are read and rescaled
                self._encoders.submit(png_tree.prepare)
        if self._request.source == "mnist":
            return mnist.load(self._request.source_dir, quiet=self._request.quiet)
        return synthetic.load(workers=self._request.workers, quiet=self._request.quiet)
