"""What a network computes inside: read by hooks that are always taken away again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from stirdata.errors import ParameterError

if TYPE_CHECKING:
    import torch

    Reduce = Callable[[torch.Tensor], torch.Tensor]
    """Turns maps (N, channels, …, height, width) into (N, channels, height, width)."""


def largest(maps: torch.Tensor) -> torch.Tensor:
    """Return the maximum over all axes between channels and the two spatial ones."""
    extra = tuple(range(2, maps.ndim - 2))
    return maps.amax(dim=extra) if extra else maps


def named_modules(model: Any, layers: Any, where: str = "layers") -> dict[str, torch.nn.Module]:
    """Return the parts of a model that are asked for, by name.

    Args:
        model: A torch module.
        layers: Names of its parts, as ``named_modules`` has them, or the parts themselves; one or several.
        where: What the argument is called.

    Raises:
        ParameterError: The model is no module, or has no such part; close names are told.
    """
    import torch

    if not isinstance(model, torch.nn.Module):
        raise ParameterError(
            "only torch modules have layers", where="model", expected="a torch module", got=type(model)
        )
    present = dict(model.named_modules())
    names = {part: name for name, part in present.items()}
    several = isinstance(layers, Sequence) and not isinstance(layers, str)
    found: dict[str, torch.nn.Module] = {}
    for layer in layers if several else [layers]:
        name = names.get(layer, layer) if isinstance(layer, torch.nn.Module) else layer
        if not isinstance(name, str) or name not in present:
            close = get_close_matches(str(layer), present)
            raise ParameterError(
                "the model has no such layer",
                where=where,
                expected="a part of the model, or its name",
                got=repr(layer),
                hint=f"did you mean {' or '.join(close)}?" if close else "model.named_modules() lists them",
            )
        found[name] = present[name]
    if not found:
        raise ParameterError("no layer is asked for", where=where, expected="at least one", got=repr(layers))
    return found


@contextmanager
def captured(parts: dict[str, torch.nn.Module]) -> Iterator[dict[str, Any]]:
    """Yield what parts of a model return, by name, each time that the model has been run."""
    import torch

    outputs: dict[str, Any] = {}

    def keep(name: str) -> Callable[..., None]:
        def hook(part: torch.nn.Module, given: Any, output: Any) -> None:
            # What follows may change it in place, as many activations do.
            outputs[name] = output.detach().clone() if isinstance(output, torch.Tensor) else output

        return hook

    handles: list[torch.utils.hooks.RemovableHandle] = []
    try:
        for name, part in parts.items():
            if isinstance(part, torch.jit.ScriptModule):
                raise ParameterError(
                    "layers cannot be read of a program", where="model", expected="a model made in Python"
                )
            handles.append(part.register_forward_hook(keep(name)))
        yield outputs
    finally:
        for handle in handles:
            handle.remove()


def maps_of(outputs: dict[str, Any], name: str, count: int, reduce: Reduce) -> torch.Tensor:
    """Return the feature maps of a layer, (N, channels, height, width).

    Raises:
        ParameterError: The layer was not run, or does not return such maps.
    """
    import torch

    output = outputs.pop(name, None)
    maps = reduce(output) if isinstance(output, torch.Tensor) and output.ndim >= 4 else None
    if maps is None or maps.ndim != 4 or len(maps) != count:
        raise ParameterError(
            "the layer returns no feature maps",
            where=f"layer {name}",
            expected=f"a tensor ({count}, channels, height, width), perhaps with axes between",
            got=_shape(output),
        )
    return maps


def rows_of(values: Any, count: int, what: str, where: str, expected: str) -> torch.Tensor:
    """Return what a part of a network holds of every image, as a row each: float64 (N, values).

    Args:
        values: A tensor (N, …).
        count: How many images there are.
        what: Is wrong if it is something else.
        where: That is.
        expected: What the tensor is; its shape is told behind.

    Raises:
        ParameterError: It is no tensor with an item for every image.
    """
    import torch

    if not isinstance(values, torch.Tensor) or not values.ndim or len(values) != count:
        raise ParameterError(what, where=where, expected=f"{expected} ({count}, …)", got=_shape(values))
    return values.detach().reshape(count, -1).double()


def _shape(value: Any) -> Any:
    """Return the shape of a tensor, or what else it is."""
    import torch

    return tuple(value.shape) if isinstance(value, torch.Tensor) else type(value).__name__
