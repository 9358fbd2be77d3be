"""Networks by their names: factories and files, and weights that are nothing but numbers."""

import os
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from stirdata.errors import FormatError, MissingFileError, MissingLibraryError, ParameterError
from stirdata.evaluation import accuracy, equivariance_error, load_model
from stirdata.evaluation.models import own_traceback
from stirdata.evaluation.weights import read_weights

IMAGES = torch.rand(6, 1, 12, 12, generator=torch.Generator().manual_seed(0))
FACTORIES = """
import torch

def plain():
    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Conv2d(1, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.AdaptiveAvgPool2d(1),
        torch.nn.Flatten(), torch.nn.Linear(4, 3),
    )

def told(num_classes, *, num_channels=7, depth=2):
    model = plain()
    model.told = num_classes, num_channels, depth
    return model

def every(**options):
    assert not options
    return plain()

def only_position(num_classes, /):
    return plain()

def needs(width):
    return plain()

def raises():
    raise KeyError("my own error")

def nothing():
    return None

class Network(torch.nn.Linear):
    def __init__(self, num_classes=2):
        super().__init__(4, num_classes)

number = 5
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working directory with the module ``factories``."""
    (tmp_path / "factories.py").write_text(FACTORIES)
    (tmp_path / "lacking.py").write_text("import no_such_module_at_all\n")
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for name in ("factories", "lacking"):
        sys.modules.pop(name, None)


@pytest.fixture
def model(folder):
    return load_model("factories:plain").eval()


def test_a_factory_is_told_what_it_takes(folder):
    before = list(sys.path)
    assert load_model("factories:told", num_classes=5, num_channels=3).told == (5, 3, 2)
    assert load_model(f"{folder}/factories.py:told", num_classes=5).told == (5, 7, 2)
    assert load_model("factories:Network", num_classes=9).out_features == 9
    assert load_model("factories:Network").out_features == 2
    assert isinstance(load_model("factories:every", num_classes=5), torch.nn.Module)
    assert sys.path == before


@pytest.mark.parametrize(
    ("named", "error", "what"),
    [
        ("factories:plian", ParameterError, "did you mean plain"),
        ("factories:number", ParameterError, "there is no such factory"),
        ("factories:needs", ParameterError, "arguments that nobody gives"),
        ("factories:only_position", ParameterError, "arguments that nobody gives"),
        ("factories:nothing", ParameterError, "returns no model"),
        ("no_such_module_at_all:f", ParameterError, "no such module"),
        ("no_such.module:f", ParameterError, "no such module"),
        ("lacking:f", ModuleNotFoundError, "no_such_module_at_all"),
        ("..:f", ParameterError, "no such module"),
        ("none.py:f", MissingFileError, "no such file"),
        ("none.pt2", MissingFileError, "no such file"),
        ("factories", ParameterError, "names no model"),
        (":f", ParameterError, "names no model"),
        ("factories.py", ParameterError, "names no model"),
    ],
)
def test_names_of_nothing(folder, named, error, what):
    with pytest.raises(error, match=what):
        load_model(named, num_classes=2)


def test_the_error_of_a_factory_is_its_own(folder):
    with pytest.raises(KeyError, match="my own error") as caught:
        load_model("factories:raises")
    assert own_traceback(caught.value).tb_next.tb_frame.f_code.co_name == "raises"
    with pytest.raises(ParameterError) as ours:
        load_model("factories:needs")
    assert own_traceback(ours.value) is None


def test_the_error_of_a_model_is_its_own(model):
    labels = torch.zeros(6, dtype=torch.int64)
    with pytest.raises(RuntimeError) as caught:
        accuracy(model, (torch.rand(6, 2, 12, 12), labels), quiet=True)
    assert own_traceback(caught.value) is not None
    with pytest.raises(ParameterError) as ours:
        accuracy(lambda images: images, (IMAGES, labels), quiet=True)
    assert own_traceback(ours.value) is None


def exported(model, path):
    sizes = ({0: torch.export.Dim("batch", min=1, max=1024)},)
    torch.export.save(torch.export.export(model, (IMAGES[:2],), dynamic_shapes=sizes), path)


def scripted(model, path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.trace(model, IMAGES[:2]).save(str(path))


def as_onnx(model, path):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sizes = ({0: torch.export.Dim("batch", min=1, max=1024)},)
        torch.onnx.export(model, (IMAGES[:2],), path, dynamic_shapes=sizes, dynamo=True, verbose=False)


@pytest.mark.parametrize(
    ("name", "write"),
    [("net.pt2", exported), ("net.pt", scripted), ("net.ts", scripted), ("net.onnx", as_onnx)],
)
def test_a_program_says_what_its_model_says(model, folder, name, write):
    write(model, folder / name)
    program, labels = load_model(name), torch.arange(6) % 3
    with torch.no_grad():
        assert torch.allclose(program(IMAGES), model(IMAGES), atol=1e-5)
    found, wanted = (accuracy(one, (IMAGES, labels), batch_size=4, quiet=True) for one in (program, model))
    assert (found.confusion == wanted.confusion).all()
    with pytest.raises(ParameterError):
        equivariance_error(program, IMAGES, [1], ["0"], quiet=True)
    with pytest.raises(ParameterError, match="only factories take weights"):
        load_model(name, weights=Path("weights.pt"))


def test_onnxruntime_is_asked_for(folder, monkeypatch):
    (folder / "net.onnx").write_bytes(b"")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingLibraryError, match="onnxruntime"):
        load_model("net.onnx")


@pytest.mark.parametrize("name", ["net.pt2", "net.pt"])
@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04 cut off"])
def test_damaged_programs(folder, name, content, capfd):
    (folder / name).write_bytes(content)
    with pytest.raises(FormatError):
        load_model(name)
    assert capfd.readouterr().err == ""


class Trap:
    """Makes a folder when it is unpickled."""

    def __reduce__(self):
        return os.mkdir, ("trapped",)


def test_no_program_unpickles(model, folder):
    """Of the files in an archive by torch.export one may be pickled: example inputs, or odd weights."""
    import zipfile

    exported(model, folder / "good.pt2")
    with zipfile.ZipFile(folder / "good.pt2") as good, zipfile.ZipFile(folder / "bad.pt2", "w") as bad:
        for name in good.namelist():
            content = good.read(name)
            if name.endswith(".pt"):
                torch.save(SimpleNamespace(trap=Trap()), folder / "inputs.pt")
                content = (folder / "inputs.pt").read_bytes()
            bad.writestr(name, content)
    with pytest.raises(FormatError, match="unpickling"):
        load_model("bad.pt2")
    with zipfile.ZipFile(folder / "good.pt2") as good, zipfile.ZipFile(folder / "odd.pt2", "w") as odd:
        for name in good.namelist():
            odd.writestr(name, good.read(name).replace(b'"use_pickle": false', b'"use_pickle": true'))
    with pytest.raises(FormatError, match="unpickling"):
        load_model("odd.pt2")
    assert not (folder / "trapped").exists()


def test_weights(model, folder):
    changed = {name: value + 1 for name, value in model.state_dict().items()}
    torch.save(changed, "plain.pt")
    torch.save({"state_dict": changed, "epoch": 3}, "checkpoint.ckpt")
    for name in ("plain.pt", "checkpoint.ckpt"):
        found = load_model("factories:plain", weights=Path(name)).state_dict()
        assert all(torch.equal(found[key], value) for key, value in changed.items())


def test_weights_of_safetensors(model, folder, monkeypatch):
    pytest.importorskip("safetensors")
    from safetensors.torch import save_file

    save_file(model.state_dict(), folder / "plain.safetensors")
    found = load_model("factories:plain", weights=Path("plain.safetensors")).state_dict()
    assert all(torch.equal(found[key], value) for key, value in model.state_dict().items())
    (folder / "bad.safetensors").write_bytes(b"hello")
    with pytest.raises(FormatError, match="no file of safetensors"):
        read_weights(Path("bad.safetensors"))
    monkeypatch.setitem(sys.modules, "safetensors.torch", None)
    with pytest.raises(MissingLibraryError, match="safetensors"):
        read_weights(Path("plain.safetensors"))


def test_weights_that_are_none(model, folder):
    torch.save(Trap(), "trap.pt")
    torch.save(model, "whole.pt")
    for name in ("trap.pt", "whole.pt"):
        with pytest.raises(FormatError, match=r"refused(.|\n)*state_dict"):
            read_weights(Path(name))
    assert not (folder / "trapped").exists()
    torch.save([1, 2], "list.pt")
    torch.save({"epoch": 3}, "epoch.pt")
    Path("junk.pt").write_bytes(b"hello")
    Path("empty.pt").write_bytes(b"")
    for name in ("list.pt", "epoch.pt", "junk.pt", "empty.pt"):
        with pytest.raises(FormatError):
            read_weights(Path(name))
    scripted(model, folder / "program.pt")
    with pytest.raises(FormatError, match="this is a program"):
        read_weights(Path("program.pt"))
    with pytest.raises(FormatError, match=r"--model MODULE:FACTORY --weights"):
        load_model("list.pt")
    with pytest.raises(MissingFileError):
        read_weights(Path("none.pt"))


def test_weights_of_another_model(model, folder):
    weights = model.state_dict()
    torch.save({f"module.{name}": value for name, value in weights.items()}, "renamed.pt")
    with pytest.raises(ParameterError, match=r"lacking 0\.weight(.|\n)*unknown module\.0\.weight"):
        load_model("factories:plain", weights=Path("renamed.pt"))
    torch.save({**weights, "4.bias": torch.zeros(9)}, "shapes.pt")
    with pytest.raises(ParameterError, match=r"4\.bias \(3,\)(.|\n)*\(9,\)"):
        load_model("factories:plain", weights=Path("shapes.pt"))
