"""Networks to evaluate: made by a factory in Python, or read from a file; and the weights of one."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from difflib import get_close_matches
from inspect import Parameter, signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stirdata.errors import FormatError, MissingFileError, MissingLibraryError, ParameterError
from stirdata.evaluation.running import Running
from stirdata.evaluation.weights import TOLD, fill, is_scripted, refusing
from stirdata.loading.tensors import checked_device

if TYPE_CHECKING:
    from types import TracebackType

    import torch

_EXPECTED = "MODULE:FACTORY, FILE.py:FACTORY, or a file .pt2 (torch.export), .pt or .ts (TorchScript), .onnx"
_EXPORTED = ("archive_format", "serialized_exported_program.json")
"""Of the files in every archive by torch.export: one of these in each."""


def load_model(
    named: str,
    *,
    weights: Path | None = None,
    num_classes: int | None = None,
    num_channels: int | None = None,
    device: Any = None,
) -> Callable[[torch.Tensor], Any]:
    """Return the model that a text names.

    A factory, and a file with a program, is code: it runs as such, so name only what you trust. Weights are
    only numbers, and whatever else is in their file is refused.

    Args:
        named: ``package.module:factory`` or ``path/to/file.py:factory``, called with ``num_classes`` and
            ``num_channels`` as far as it takes them, else without arguments; or a file: ``.pt2`` as
            ``torch.export.save`` writes it, ``.pt`` or ``.ts`` of TorchScript, or ``.onnx``. The working
            directory is searched for modules first.
        weights: For a factory: a file by ``torch.save`` of a state dict, or of a checkpoint that has one as
            ``state_dict``; or ``.safetensors``.
        num_classes: Of the dataset.
        num_channels: Of its images.
        device: Of torch, where a program runs; None for the CPU. What a factory makes is moved there later.

    Returns:
        A torch module, or a function, of float images (N, channels, height, width). Layers can be read of
        what a factory makes only.

    Raises:
        MissingFileError: There is no such file.
        FormatError: It is damaged, or of another kind.
        ParameterError: There is no such module or factory, it takes other arguments, it returns no model, or
            the weights are not its own.
        MissingLibraryError: onnxruntime, or safetensors, is not installed.
        Exception: Whatever the factory raises.
    """
    readers = {".pt2": _exported, ".pt": _scripted, ".ts": _scripted, ".onnx": _onnx}
    where, colon, factory = named.rpartition(":")
    if colon and where and factory.isidentifier():
        given = {"num_classes": num_classes, "num_channels": num_channels}
        model: Callable[[torch.Tensor], Any] = _built(_factory(where, factory), given)
        if not callable(model):
            raise ParameterError(
                "the factory returns no model", where=named, expected="a torch module", got=repr(model)
            )
        if weights is not None:
            fill(model, weights)
        return model
    path = Path(named)
    if path.suffix not in readers:
        raise ParameterError("this names no model", where="model", expected=_EXPECTED, got=repr(named))
    if weights is not None:
        raise ParameterError("only factories take weights", where="weights", expected="none", got=weights)
    if not path.is_file():
        raise MissingFileError("there is no such file", where=path)
    return readers[path.suffix](path, checked_device(device))


def _factory(where: str, name: str) -> Callable[..., Any]:
    """Import what a factory is in, and return it."""
    module = _imported_file(Path(where)) if where.endswith(".py") else _imported(where)
    found = getattr(module, name, None)
    if callable(found):
        factory: Callable[..., Any] = found
        return factory
    close = get_close_matches(name, [one for one in vars(module) if callable(getattr(module, one))])
    raise ParameterError(
        "there is no such factory",
        where=f"{where}:{name}",
        expected="a function or class that returns a model",
        got="nothing of this name" if found is None else repr(found),
        hint=f"did you mean {' or '.join(close)}?" if close else "",
    )


def _imported(name: str) -> Any:
    from importlib import import_module

    sys.path.insert(0, "")
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not (name == error.name or name.startswith(f"{error.name}.")):
            raise  # it is there, and lacks something itself
        raise ParameterError(
            "there is no such module", where="model", expected=_EXPECTED, got=repr(name)
        ) from error
    except (TypeError, ValueError) as error:  # names such as "..": no module's
        raise ParameterError(
            "there is no such module", where="model", expected=_EXPECTED, got=repr(name)
        ) from error
    finally:
        sys.path.remove("")


def _imported_file(path: Path) -> Any:
    from importlib.util import module_from_spec, spec_from_file_location

    if not path.is_file():
        raise MissingFileError("there is no such file", where=path)
    spec = spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ParameterError("this is no file of Python", where="model", expected=_EXPECTED, got=path)
    module = module_from_spec(spec)
    sys.modules.setdefault(path.stem, module)  # dataclasses and pickles look there
    sys.path.insert(0, str(path.parent))
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(path.parent))
    return module


def _built(factory: Callable[..., Any], given: dict[str, int | None]) -> Any:
    """Call a factory with what it takes of the given arguments."""
    try:
        parameters = signature(factory).parameters.values()
    except ValueError:  # some that are written in C do not say
        parameters = {}.values()
    variable = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
    named = [one for one in parameters if one.kind not in (*variable, Parameter.POSITIONAL_ONLY)]
    taken = {one.name: given[one.name] for one in named if given.get(one.name) is not None}
    lacking = [
        one.name
        for one in parameters
        if one.default is Parameter.empty and one.kind not in variable and one.name not in taken
    ]
    if lacking:
        raise ParameterError(
            "the factory needs arguments that nobody gives it",
            where=f"{factory.__module__}:{factory.__qualname__}",
            expected="none, or num_classes and num_channels",
            got=", ".join(lacking),
            hint="give them defaults, or name a function that calls it",
        )
    return _called(factory, taken)


def _called(factory: Callable[..., Any], taken: dict[str, Any]) -> Any:
    return factory(**taken)  # nothing else is here: its own errors are told by this line


def own_traceback(error: BaseException) -> TracebackType | None:
    """Return where an error left our code for that of a factory or a model; None if it did not."""
    codes = {_called.__code__, Running.ask.__code__, _imported.__code__, _imported_file.__code__}
    trace, found = error.__traceback__, None
    while trace is not None:
        found = trace if trace.tb_frame.f_code in codes else found
        trace = trace.tb_next
    return found


def _exported(path: Path, device: torch.device) -> Callable[[torch.Tensor], Any]:
    """Read a program by torch.export."""
    import torch

    _check_not_pickled(path)
    with refusing(path, "no program of torch.export"):
        program = torch.export.load(path)
    module: torch.nn.Module = program.module().to(device)
    return module


def _check_not_pickled(path: Path) -> None:
    """Refuse an archive with pickled objects, which can do anything when torch reads them."""
    import io
    import json
    import pickle
    import zipfile

    import torch

    with refusing(path, "no program of torch.export"), zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        if not any(name.endswith(_EXPORTED) for name in names):
            raise FormatError("this is no program of torch.export", where=path)
        tables = [json.loads(archive.read(name)) for name in names if name.endswith("_config.json")]
        pickled = [
            name for table in tables for name, entry in table["config"].items() if entry.get("use_pickle")
        ]
        for name in (name for name in names if name.endswith(".pt")):
            try:
                torch.load(io.BytesIO(archive.read(name)), map_location="cpu", weights_only=True)
            except pickle.UnpicklingError:
                pickled.append(name)
    if pickled:
        raise FormatError(
            "the program holds objects that only unpickling could read, which may do anything",
            where=path,
            expected="plain tensors only",
            got=", ".join(pickled[:TOLD]),
            hint="name the factory of the model, and its weights",
        )


def _scripted(path: Path, device: torch.device) -> Callable[[torch.Tensor], Any]:
    """Read a program of TorchScript."""
    import torch

    if not is_scripted(path):
        raise FormatError(
            "this is no TorchScript",
            where=path,
            expected="a program saved by torch.jit",
            hint="a file of weights goes with its factory: --model MODULE:FACTORY --weights FILE",
        )
    with warnings.catch_warnings(), refusing(path, "no TorchScript"):
        warnings.simplefilter("ignore", DeprecationWarning)  # of torch.jit, which people still have files of
        module: torch.nn.Module = torch.jit.load(path, map_location=device)  # type: ignore[no-untyped-call]
    return module


def _onnx(path: Path, device: torch.device) -> Callable[[torch.Tensor], Any]:
    """Open a program of ONNX."""
    import torch

    try:
        import onnxruntime
    except ImportError as error:
        raise MissingLibraryError(
            "programs of ONNX are run by onnxruntime, which is not installed",
            where=path,
            hint="pip install onnxruntime",
        ) from error
    wanted = ["CUDAExecutionProvider"] if device.type == "cuda" else []
    absent = [one for one in wanted if one not in onnxruntime.get_available_providers()]
    if absent:
        raise ParameterError(
            "this onnxruntime has nothing for the device",
            where="device",
            expected="cpu",
            got=device,
            hint="onnxruntime-gpu",
        )
    with refusing(path, "no program of ONNX"):
        session = onnxruntime.InferenceSession(str(path), providers=[*wanted, "CPUExecutionProvider"])
    inputs = session.get_inputs()
    if len(inputs) != 1:
        names = ", ".join(one.name for one in inputs)
        raise ParameterError("the program takes not just images", where=path, expected="1 input", got=names)

    def model(images: torch.Tensor) -> torch.Tensor:
        outputs = session.run(None, {inputs[0].name: images.cpu().numpy()})
        return torch.from_numpy(outputs[0]).to(device)

    return model
