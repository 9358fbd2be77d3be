"""The notebook runs from top to bottom, shows what it says, and its bars are Jupyter's."""

import json
import re
import sys
from importlib.util import find_spec

import pytest
from tour import README

from stirdata import progress

NOTEBOOK = README.parent / "docs" / "notebooks" / "quickstart.ipynb"


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    """Run the notebook in an empty folder, and return what every cell of code shows, by type."""
    if any(find_spec(name) is None for name in ("nbclient", "nbformat", "ipykernel", "ipywidgets")):
        pytest.skip("the extra sharing is not installed")
    import nbclient
    import nbformat

    folder = tmp_path_factory.mktemp("notebook")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbclient.NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    ).execute()
    found = []
    for cell in notebook.cells:
        shown = {}
        for output in cell.get("outputs", ()) if cell.cell_type == "code" else ():
            if output.output_type == "stream":
                shown[output.name] = shown.get(output.name, "") + output.text
            else:
                shown.update(output.get("data", {}))
        if cell.cell_type == "code":
            found.append(shown)
    return found


@pytest.mark.tools
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_it_runs_and_shows_what_it_says(outputs):
    made, dataset, audit, training, table, beside = outputs
    assert "scale_0.3_1.0.h5" in made["text/plain"]
    assert "data:image/png;base64," in dataset["text/html"]
    assert "MNIST-scale" in dataset["text/html"]
    assert audit["text/plain"] == "()"
    assert len(re.findall(r"epoch \d: loss", training["stdout"])) == 2
    accuracies = [float(number) for number in re.findall(r"\b0\.\d{4}\b|\b1\.0000\b", table["stdout"])]
    assert len(accuracies) >= 7
    assert min(accuracies[-3:]) > 0.5
    assert "SESN" in beside["stdout"]
    for shown in (made, table):
        assert "application/vnd.jupyter.widget-view+json" in shown, "no bar of Jupyter's"
        assert "%|" not in shown.get("stderr", "")


def test_it_is_kept_without_what_it_showed():
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            assert (cell["outputs"], cell["execution_count"]) == ([], None)


class Shell:
    """What IPython says of itself in a notebook."""

    def __init__(self):
        self.config = {"IPKernelApp": {}}


def test_without_widgets_there_is_a_bar_of_text(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "IPython", type("IPython", (), {"get_ipython": staticmethod(Shell)}))
    monkeypatch.setattr(progress, "find_spec", lambda name: None)
    with progress.bar(10, "making", "image") as shown:
        shown.advance(5)
    assert "making" in capsys.readouterr().err
    with progress.bar(10, "making", "image", quiet=True) as shown:
        shown.advance(5)
    assert capsys.readouterr().err == ""
