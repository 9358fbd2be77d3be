"""Running a network for evaluation, and leaving everything about it as it was."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stirdata.arguments import as_integer
from stirdata.errors import NotEnoughMemoryError, ParameterError
from stirdata.loading.arranging import is_failed_allocation
from stirdata.loading.tensors import checked_device

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Running:
    """A model that is ready to be asked; made by :func:`running`.

    Attributes:
        device: Where images have to be.
    """

    device: torch.device
    _model: Callable[[Any], Any]

    def __call__(self, images: torch.Tensor) -> Any:
        """Return what the model returns of images, float (N, channels, height, width) on any device.

        Raises:
            NotEnoughMemoryError: The device has no room for the batch.
        """
        try:
            return self.ask(images.to(self.device))
        except (MemoryError, RuntimeError) as error:
            if not is_failed_allocation(error):
                raise
            raise NotEnoughMemoryError(
                "the model has no room for a batch",
                where=f"device {self.device}",
                got=f"{len(images)} images of {tuple(images.shape[1:])}",
                hint="a smaller batch_size takes less",
            ) from error

    def ask(self, images: torch.Tensor) -> Any:
        """Call the model, and nothing else: errors from within are told by this line to be its own."""
        return self._model(images)

    def logits(self, images: torch.Tensor, classes: int | None = None) -> torch.Tensor:
        """Return what the model says of images: (N, classes), on its device.

        Args:
            images: Float, shape (N, channels, height, width), on any device.
            classes: How many logits there have to be; None for any number above 0.

        Raises:
            ParameterError: The model returns something else than that many logits for every image.
            NotEnoughMemoryError: The device has no room for the batch.
        """
        import torch

        found = self(images)
        count = classes or "classes"
        fits = isinstance(found, torch.Tensor) and found.ndim == 2 and len(found) == len(images)
        if not fits or found.shape[1] < 1 or (classes is not None and found.shape[1] != classes):
            got = f"{found.dtype} {tuple(found.shape)}" if isinstance(found, torch.Tensor) else type(found)
            raise ParameterError(
                "the model does not return the logits of every image",
                where="model",
                expected=f"a tensor ({len(images)}, {count})",
                got=got,
            )
        logits: torch.Tensor = found
        return logits


def predictions(logits: torch.Tensor) -> torch.Tensor:
    """Return the class of the largest logit, the first of equal ones; -1 where one is NaN or infinite.

    Args:
        logits: Shape (N, classes).

    Returns:
        int64 (N,).
    """
    import torch

    finite = torch.isfinite(logits).all(dim=1)
    return torch.where(finite, logits.argmax(dim=1), torch.full_like(finite, -1, dtype=torch.int64))


@contextmanager
def running(model: Any, device: Any = None) -> Iterator[Running]:
    """Yield a model in evaluation mode on a device, without gradients; then everything is as before.

    That is: the mode of each of its parts, where its parameters and buffers are, whether gradients are
    computed, torch's, NumPy's and Python's random numbers, and the settings of cuDNN.

    Args:
        model: A torch module, or any callable.
        device: Of torch; None for that of the module's parameters, else the CPU.

    Raises:
        ParameterError: The model cannot be called, its parameters are on several devices, or there is no such
            device.
    """
    import torch

    if not callable(model):
        raise ParameterError(
            "this is no model", where="model", expected="a torch module or a function", got=repr(model)
        )
    is_module = isinstance(model, torch.nn.Module)
    homes = {tensor.device for tensor in (*model.parameters(), *model.buffers())} if is_module else set()
    if len(homes) > 1 and device is not None:
        raise ParameterError(
            "the parts of the model are on several devices",
            where="device",
            expected="None, or a model on one device",
            got=", ".join(sorted(map(str, homes))),
        )
    place = checked_device(device) if device is not None else next(iter(homes), torch.device("cpu"))
    with ExitStack() as stack:
        stack.enter_context(torch.no_grad())
        stack.enter_context(_same_random_numbers())
        stack.enter_context(_same_settings())
        if is_module:
            stack.enter_context(_in_evaluation_mode(model))
        if homes and place not in homes:
            (home,) = homes
            stack.callback(model.to, home)
            model.to(place)
        yield Running(place, model)


@contextmanager
def _in_evaluation_mode(model: torch.nn.Module) -> Iterator[None]:
    modes = [(part, part.training) for part in model.modules()]
    try:
        with suppress(NotImplementedError):  # of torch.export: a program keeps the mode that it was made in
            model.eval()
        yield
    finally:
        for part, training in modes:
            part.training = training


@contextmanager
def _same_random_numbers() -> Iterator[None]:
    import random

    import numpy as np
    import torch

    states = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
            yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])


@contextmanager
def _same_settings() -> Iterator[None]:
    import torch

    names = ("enabled", "benchmark", "deterministic", "allow_tf32")
    before = {name: getattr(torch.backends.cudnn, name) for name in names}
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(torch.backends.cudnn, name, value)


def checked_batch_size(batch_size: Any) -> int:
    """Return the number of images in a batch; raise ParameterError if it is no integer above 0."""
    number = as_integer(batch_size)
    if number is None or number < 1:
        raise ParameterError("a batch has images", where="batch_size", expected="1 or more", got=batch_size)
    return number
