"""What the README and the first page promise of their commands; :mod:`tour` runs them."""

import ast
import doctest
import os
import re
import subprocess

import pytest
import tour
from tour import README, START, blocks


@pytest.mark.parametrize("page", [README, START], ids=lambda page: page.name)
def test_the_tour_can_be_run(page):
    """It takes a minute: ``.ci/run`` runs it, with the wheel in an empty environment."""
    found = blocks(page)
    kinds = [language for language, _ in found]
    assert kinds.count("sh") >= 2 and kinds.count("python") >= 3
    assert set(kinds) == {"sh", "python"}
    for language, code in found:
        if language == "sh":
            assert subprocess.run(["bash", "-n", "-c", code], check=False).returncode == 0, code
        else:
            examples = doctest.DocTestParser().get_examples(code)
            assert examples
            assert all(ast.parse(example.source) for example in examples)


def test_the_first_command_makes_a_realization_and_the_second_runs_the_tests():
    first, second = re.findall(r"^```sh\n(.*?)\n```$", README.read_text(encoding="utf-8"), re.M | re.S)[:2]
    assert (
        "pip install -c constraints.txt -e ." in first and "generate mnist-scale --source synthetic" in first
    )
    assert "pip install -c constraints.txt" in second and second.endswith("-m pytest -n auto")


@pytest.mark.parametrize("block", [("sh", "false | true\nfalse"), ("python", ">>> 1 + 1\n3\n")])
def test_a_tour_that_fails_is_told(block, monkeypatch, capsys):
    monkeypatch.setattr(tour, "blocks", lambda page: [("sh", "true"), block, ("python", ">>> 1 + 1\n2\n")])
    monkeypatch.setenv("PATH", os.environ["PATH"])
    assert tour.run(README) == 1
