"""Runs the README's tour as it stands, in the current folder: ``python tests/tour.py``.

Needs stirdata and nothing else: ``.ci/run`` runs it with the wheel in an empty environment.
"""

import doctest
import os
import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).parent.parent / "README.md"


def blocks(section: str) -> list[tuple[str, str]]:
    """Return the (language, code) blocks of one section of the README."""
    text = README.read_text(encoding="utf-8").split(f"## {section}\n")[1].split("\n## ")[0]
    return re.findall(r"^```(\w+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def run(section: str = "Five-minute tour") -> int:
    """Run all blocks, one after the other; return how many of them failed."""
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    names: dict[str, object] = {}
    failed = 0
    for language, code in blocks(section):
        if language == "sh":
            failed += subprocess.run(["bash", "-euc", code], check=False).returncode != 0
        else:
            test = doctest.DocTestParser().get_doctest(code, names, "README.md", str(README), 0)
            runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
            runner.run(test, clear_globs=False)
            failed += runner.failures > 0
            names = test.globs
    return failed


if __name__ == "__main__":
    sys.exit(1 if run() else 0)
