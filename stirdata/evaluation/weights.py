"""The weights of networks: read as nothing but numbers, and given to the network that they are of."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stirdata.errors import FormatError, MissingFileError, MissingLibraryError, ParameterError

if TYPE_CHECKING:
    import torch

TOLD = 5
"""How many of several names an error lists."""


@contextmanager
def refusing(path: Path, what: str) -> Iterator[None]:
    """Turn whatever a library says of a damaged file into an error of ours."""
    try:
        yield
    except (FormatError, MemoryError):
        raise
    except Exception as error:
        raise FormatError(
            f"this is {what}, or it is damaged",
            where=path,
            got=f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0][:200]}",
        ) from error


def is_scripted(path: Path) -> bool:
    """Tell whether a file is a program of TorchScript."""
    import zipfile

    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith("constants.pkl") for name in archive.namelist())


def fill(model: Any, path: Path) -> None:
    """Give a model its weights.

    Raises:
        ParameterError: They are those of another model.
        StirdataError: As :func:`read_weights` raises it.
    """
    import torch

    if not isinstance(model, torch.nn.Module):
        raise ParameterError("only torch modules have weights", where="weights", got=repr(model))
    found, own = read_weights(path), model.state_dict()
    absent, extra = [name for name in own if name not in found], [name for name in found if name not in own]
    if absent or extra:
        raise ParameterError(
            "the weights are those of another model",
            where=path,
            expected=f"{len(own)} weights such as {next(iter(own), 'none')}",
            got=f"{_listed('lacking', absent)}{'; ' if absent and extra else ''}{_listed('unknown', extra)}",
        )
    shapes = [name for name in own if found[name].shape != own[name].shape]
    if shapes:
        name = shapes[0]
        raise ParameterError(
            "the weights have other shapes than the model's",
            where=path,
            expected=f"{name} {tuple(own[name].shape)}",
            got=f"{tuple(found[name].shape)}, and {len(shapes) - 1} others"
            if shapes[1:]
            else tuple(found[name].shape),
        )
    model.load_state_dict(found)


def _listed(what: str, names: list[str]) -> str:
    if not names:
        return ""
    more = f" and {len(names) - TOLD} more" if len(names) > TOLD else ""
    return f"{what} {', '.join(names[:TOLD])}{more}"


def read_weights(path: Path) -> dict[str, torch.Tensor]:
    """Read a state dict, without unpickling anything but numbers.

    Args:
        path: A .safetensors file, or one by ``torch.save`` of a state dict, or of a checkpoint that has one
            as ``state_dict``.

    Raises:
        MissingFileError: There is no such file.
        FormatError: It is damaged, holds no state dict, or needs unpickling, which can do anything.
        MissingLibraryError: safetensors is not installed.
    """
    import pickle

    import torch

    if not path.is_file():
        raise MissingFileError("there is no such file", where=path)
    if path.suffix == ".safetensors":
        return _safetensors(path)
    if is_scripted(path):
        raise FormatError("this is a program, and no file of weights", where=path, hint="--model FILE")
    with refusing(path, "no file of weights"):
        try:
            found = torch.load(path, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError as error:
            raise FormatError(
                "the file holds more than weights, or is damaged; reading it could do anything: refused",
                where=path,
                expected="a state dict",
                hint="where you trust it: model = torch.load(FILE, weights_only=False); "
                "torch.save(model.state_dict(), 'weights.pt')",
            ) from error
    if isinstance(found, dict) and isinstance(found.get("state_dict"), dict):
        found = found["state_dict"]
    tensors = isinstance(found, dict) and all(isinstance(one, torch.Tensor) for one in found.values())
    if not tensors or not found:
        got = ", ".join(map(str, found)) if isinstance(found, dict) else type(found).__name__
        raise FormatError(
            "the file holds no weights", where=path, expected="a state dict", got=(got or "nothing")[:200]
        )
    weights: dict[str, torch.Tensor] = found
    return weights


def _safetensors(path: Path) -> dict[str, torch.Tensor]:
    try:
        from safetensors.torch import load_file
    except ImportError as error:
        raise MissingLibraryError(
            "safetensors is not installed", where=path, hint="pip install safetensors"
        ) from error
    with refusing(path, "no file of safetensors"):
        weights: dict[str, torch.Tensor] = load_file(path)
    return weights
