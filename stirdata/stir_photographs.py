"""The two STIR sets that are cut out of photographs, as jobs.

The annotations are read and the places drawn before a job exists, so that the manifest can be compared
with an existing one before any picture is decoded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from stirdata.errors import ParameterError
from stirdata.executors import dask_cluster, processes
from stirdata.stir_sets import Advance, Made, StirJob, StirRequest, described
from stirdata.storage.saving import Description

if TYPE_CHECKING:
    from stirdata.families.stir.crops import Plan
    from stirdata.sources.annotations import AnnotatedPictures


def trafficsign_job(request: StirRequest, dask: str | None = None) -> StirJob:
    """Return the job of making ``stir-trafficsign`` from the Mapillary Traffic Sign Dataset v2.

    Args:
        request: What is asked for, with a source folder.
        dask: Address of a Dask scheduler to work on; None for processes of this machine.

    Raises:
        ParameterError: There is no source folder, or the seed is out of range.
        MissingFileError: Archives or annotations are missing.
        SourceError: Something is damaged, or no class has enough objects.
    """
    from stirdata.families.stir import trafficsign as stir_trafficsign
    from stirdata.sources import mapillary

    return _job(stir_trafficsign, mapillary, request, dask)


def aerial_job(request: StirRequest, dask: str | None = None) -> StirJob:
    """Return the job of making ``stir-aerial`` from DOTA v1.5; see :func:`trafficsign_job`."""
    from stirdata.families.stir import aerial as stir_aerial
    from stirdata.sources import dota

    return _job(stir_aerial, dota, request, dask)


def _job(recipe: Any, source: Any, request: StirRequest, dask: str | None) -> StirJob:
    from stirdata.families.stir.axes import check_seed
    from stirdata.families.stir.crops import render

    check_seed(request.seed)
    if request.source_dir is None:
        raise ParameterError(
            "these photographs cannot be downloaded without an account",
            where="source_dir",
            expected="the folder with the archives, as they were downloaded",
            hint="name it by --source-dir DIR",
        )
    table = source.load(request.source_dir)
    plan = recipe.plan(table, request.seed)

    def make(advance: Advance) -> Made:
        with _executor(request.workers, dask) as (executor, slots):
            arrays = render(plan, recipe.rows(), executor, ahead=2 * slots, advance=advance)
        return Made(arrays, _decoder_versions(), tuple(plan.report.lines()))

    return StirJob(_description(recipe, source, request.seed, table, plan), make, plan.frame.count)


@contextmanager
def _executor(workers: int, dask: str | None) -> Iterator[tuple[Executor, int]]:
    """Yield where to work, and how many tasks run there at a time."""
    if dask is not None:
        with dask_cluster(dask) as cluster:
            yield cluster
        return
    with processes(workers) as executor:
        yield executor, workers


def _description(recipe: Any, source: Any, seed: int, table: AnnotatedPictures, plan: Plan) -> Description:
    from stirdata.sources.annotations import digest_of_members

    pictures = digest_of_members(plan.members[number] for number in sorted(plan.members))
    facts = {
        "name": source.NAME,
        "sha256": {"annotations": table.sha256, "names_sizes_and_crc32s_of_pictures": pictures},
        "license": source.LICENSE,
        "citation": source.CITATION,
        "objects": plan.report.as_json(),
    }
    return described(recipe, seed, facts)


def _decoder_versions() -> dict[str, str]:
    """Return the versions of what decodes the pictures, on this machine."""
    import PIL
    from PIL import features

    version: Callable[[str], str | None] = features.version
    return {"pillow": PIL.__version__, "libjpeg_turbo": version("libjpeg_turbo") or "none"}
