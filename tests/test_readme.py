"""The README's tour runs as it stands."""

import doctest
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).parent.parent / "README.md"


def blocks(section):
    """Return the (language, code) blocks of one section."""
    text = README.read_text(encoding="utf-8").split(f"## {section}\n")[1].split("\n## ")[0]
    return re.findall(r"^```(\w+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def test_the_tour_runs(tmp_path, monkeypatch):
    pytest.importorskip("torch")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    names = {}
    kinds = []
    for language, code in blocks("Five-minute tour"):
        kinds.append(language)
        if language == "sh":
            subprocess.run(["bash", "-euc", code], check=True, capture_output=True)
        else:
            test = doctest.DocTestParser().get_doctest(code, names, "README.md", str(README), 0)
            runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
            runner.run(test, clear_globs=False)
            assert runner.failures == 0, code
            names = test.globs
    assert kinds.count("sh") >= 4 and kinds.count("python") >= 3


def test_the_first_command_makes_a_realization_and_the_second_runs_the_tests():
    first, second = re.findall(r"^```sh\n(.*?)\n```$", README.read_text(encoding="utf-8"), re.M | re.S)[:2]
    assert (
        "pip install -c constraints.txt -e ." in first and "generate mnist-scale --source synthetic" in first
    )
    assert "pip install -c constraints.txt" in second and second.endswith("-m pytest -n auto")
