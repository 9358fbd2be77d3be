"""A report of an evaluation: one page without anything from the network, JSON, CSV and pictures."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

from stirdata import atomic, locks
from stirdata.errors import TargetExistsError
from stirdata.evaluation.generalization import ScaleGeneralization
from stirdata.evaluation.plots import Beside, Drawable, drawn, is_installed
from stirdata.evaluation.published import Baselines, Comparison, PublishedTable
from stirdata.evaluation.results import Result, cell
from stirdata.sharing.page import cards, facts, image, page, table

SCHEMA = "stirdata/evaluation/1"
_OWN = "report.json"
"""Every report has it: what else is in the way is no report, and is not replaced."""

_TITLES = {
    "generalization": "Accuracy at every scale",
    "accuracy": "Accuracy",
    "consistency": "Classification consistency under shifts",
    "flips": "Flip rate",
    "equivariance": "Scale equivariance error",
    "scale-index": "Scale indices",
    "mistakes": "Most frequent mistakes",
}
_PARTS = {"own": "at the scales of training", "other": "at other scales"}
_RANGES = {"trained": _PARTS["own"], "others": _PARTS["other"], "all": "over all images"}


@dataclass(frozen=True)
class Report:
    """Everything that an evaluation has found, and what it was.

    Attributes:
        title: One line.
        facts: What was evaluated, by name: lines of text.
        results: By measure.
        published: What others have published, if that is known; the results' ``generalization`` or
            ``accuracy`` is put beside it.
        comparison: That.
        scenario: How the network was trained, if that is known.
        parts: Accuracy by what the scales mean for the scenario: ``own``, ``other``.
        sheet: A PNG file with images of the most frequent mistakes.
        notes: What else is to be known, a sentence each.
    """

    title: str
    facts: Mapping[str, Sequence[str]]
    results: Mapping[str, Result]
    published: Baselines | PublishedTable | None = None
    comparison: Comparison | None = None
    scenario: str = ""
    parts: Mapping[str, float] = field(default_factory=dict)
    sheet: bytes | None = field(default=None, repr=False)
    notes: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        return {
            "schema": SCHEMA,
            "title": self.title,
            "evaluated": {name: list(lines) for name, lines in self.facts.items()},
            "scenario": self.scenario or None,
            "parts": dict(self.parts),
            "results": {name: result.as_json() for name, result in self.results.items()},
            "comparison": None if self.comparison is None else self.comparison.as_json(),
            "notes": list(self.notes),
        }

    def text(self) -> str:
        """Return the tables as text, one below the other."""
        shown = [result.table() for name, result in self.results.items() if name != "mistakes"]
        told = [f"{_PARTS[name]} {value:.4f}" for name, value in self.parts.items()]
        shown += [f"accuracy {', '.join(told)}"] if told else []
        shown += [] if self.comparison is None else [self.comparison.table()]
        return "\n\n".join([*shown, *self.notes])

    def files(self) -> dict[str, bytes]:
        """Return the files of the report, by their names; the pictures only if there is matplotlib."""
        content = json.dumps(self.as_json(), indent=1, ensure_ascii=False, allow_nan=False)
        files = {_OWN: f"{content}\n".encode()}
        files |= {f"{name}.csv": result.csv().encode() for name, result in self.results.items()}
        if self.comparison is not None:
            files["comparison.csv"] = self.comparison.csv().encode()
        if self.sheet is not None:
            files["mistakes.png"] = self.sheet
        pictures = self._pictures() if is_installed() else {}
        vectors = {name: drawn(picture, "svg") for name, picture in pictures.items()}
        files |= {f"{name}.svg": content for name, content in vectors.items()}
        files |= {f"{name}.png": drawn(picture, "png") for name, picture in pictures.items()}
        files["report.html"] = self.page(vectors).encode()
        return files

    def _pictures(self) -> dict[str, Drawable]:
        """Return what is drawn, by its name; the sheet has images of mistakes already."""
        found: dict[str, Drawable] = {
            name: result for name, result in self.results.items() if name != "mistakes"
        }
        result = self.results.get("generalization")
        if isinstance(result, ScaleGeneralization) and isinstance(self.published, Baselines):
            found["generalization"] = Beside(result, self.published)
        if self.comparison is not None:
            found["comparison"] = self.comparison
        return found

    def save(self, folder: str | os.PathLike[str], *, force: bool = False) -> bool:
        """Write the report as a folder of files, whole or not at all; tell whether it was there already.

        Args:
            folder: Where it goes.
            force: Replace another report.

        Raises:
            TargetExistsError: The folder is another report, or even with ``force`` no report at all.
            TargetError: It cannot be written.
        """
        target, files = Path(folder), self.files()
        with locks.locked(target):
            if target.exists():
                if _same(target, files):
                    return True
                _check_replaceable(target, force)
            with atomic.new_folder(target) as partial:
                for name, content in files.items():
                    (partial / name).write_bytes(content)
        return False

    def page(self, vectors: Mapping[str, bytes]) -> str:
        """Return the page, in which everything is contained.

        Args:
            vectors: Pictures as SVG files, by the names of the measures, and ``comparison``.
        """
        sections = [self._head(), *self._sections(vectors), self._end()]
        return page(self.title, "\n".join(sections))

    def _head(self) -> str:
        shown = [(f"{value:.2%}", f"accuracy {_PARTS[name]}") for name, value in self.parts.items()]
        for name in ("accuracy", "consistency"):
            value = getattr(self.results.get(name), name, None)
            shown += [] if value is None else [(f"{value:.2%}", name)]
        result = self.results.get("generalization")
        if isinstance(result, ScaleGeneralization):
            shown.insert(0, (f"{result.overall.mean():.2%}", "accuracy over all images"))
        if self.comparison is not None:
            total = len(self.comparison.models) + 1
            shown += [
                (f"{self.comparison.rank(part)} of {total}", f"rank beside the published, {_RANGES[part]}")
                for part in self.comparison.own
            ]
        below = f"trained as {self.scenario}" if self.scenario else ""
        notes = "".join(f"<p>{escape(note)}</p>" for note in self.notes)
        head = f'<h1>{escape(self.title)}</h1>\n<p class="sub">{escape(below)}</p>'
        return f"{head}\n{cards(shown)}{notes}"

    def _sections(self, vectors: Mapping[str, bytes]) -> list[str]:
        found = []
        compared = next((name for name in ("generalization", "accuracy") if name in self.results), None)
        for name, result in self.results.items():
            picture = _inline(vectors[name]) if name in vectors else ""
            if name == "mistakes":
                picture = image(self.sheet, "images of the most frequent mistakes") if self.sheet else ""
            numbers = table(result.columns(), cell=cell)
            if name != "accuracy":
                numbers = f"<details><summary>The numbers</summary>{numbers}</details>"
            found.append(
                f"<h2>{escape(_TITLES.get(name, name))}</h2>\n{picture}\n{_summary(name, result)}{numbers}"
            )
            if name == compared and self.comparison is not None:
                picture = _inline(vectors["comparison"]) if "comparison" in vectors else ""
                found.append(
                    f"<h2>Beside what others published</h2>\n{picture}\n"
                    f"{table(self.comparison.columns(), cell=cell, own=0)}\n"
                    f'<p class="sub">Source: {escape(self.published.source if self.published else "")}</p>'
                )
        return found

    def _end(self) -> str:
        return f"<h2>What was evaluated</h2>\n{facts(self.facts)}"


def _summary(name: str, result: Result) -> str:
    """Return the one line that some results say in place of a table."""
    return f"<p>{escape(result.table())}</p>" if name == "consistency" else ""


def _inline(vector: bytes) -> str:
    """Return an SVG file as a part of a page, without what comes before its element."""
    text = vector.decode()
    return f"<figure>{text[text.index('<svg') :]}</figure>"


def check_target(folder: Path) -> None:
    """Raise TargetExistsError before anything is computed, if no report could be put there."""
    if folder.exists():
        _check_replaceable(folder, force=True)


def _same(folder: Path, files: Mapping[str, bytes]) -> bool:
    if not folder.is_dir() or {path.name for path in folder.iterdir()} != set(files):
        return False
    return all((folder / name).read_bytes() == content for name, content in files.items())


def _check_replaceable(folder: Path, force: bool) -> None:
    if not (folder / _OWN).is_file():
        raise TargetExistsError(
            "the output exists and is no report", where=folder, hint="choose another output"
        )
    if not force:
        raise TargetExistsError(
            "the output exists and is another report",
            where=folder,
            hint="use --force to replace it, or choose another output",
        )
