"""Runs the blocks of the README and of the first page as they stand: ``python tests/tour.py``.

Each in a folder of its own below the current one. Needs stirdata and nothing else: ``.ci/run`` runs it with
the wheel in an empty environment.
"""

import doctest
import os
import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).parent.parent / "README.md"
START = README.parent / "docs" / "start.md"
SETTING_UP = 2
"""The README's first blocks, which install."""


def blocks(page: Path) -> list[tuple[str, str]]:
    """Return the (language, code) blocks of a page that are to be run."""
    found = re.findall(r"^```(\w+)\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return found[SETTING_UP:] if page == README else found


def run(page: Path) -> int:
    """Run all blocks of a page, one after the other; return how many of them failed."""
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    names: dict[str, object] = {}
    failed = 0
    for language, code in blocks(page):
        if language == "sh":
            failed += subprocess.run(["bash", "-euc", code], check=False).returncode != 0
        else:
            test = doctest.DocTestParser().get_doctest(code, names, page.name, str(page), 0)
            runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
            runner.run(test, clear_globs=False)
            failed += runner.failures > 0
            names = test.globs
    return failed


def main() -> int:
    """Run both pages; return how many blocks failed."""
    failed = 0
    for page in (README, START):
        folder = Path(page.stem)
        folder.mkdir()
        os.chdir(folder)
        failed += run(page)
        os.chdir("..")
    return failed


if __name__ == "__main__":
    sys.exit(1 if main() else 0)
