"""Augmentations as single steps of functions that torch compiles.

A compiler that looks into them computes other bits: it contracts multiplications with additions. As operators
of their own they are called as they are.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from functools import lru_cache, wraps
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

if TYPE_CHECKING:
    import torch

Method = TypeVar("Method", bound=Callable[..., Any])

_SCHEMA = "(Tensor images, Tensor indices, SymInt epoch, str text) -> Tensor"


class OneStep:
    """Base of augmentations that are dataclasses; a program knows them by a text that says what they are."""

    _classes: ClassVar[dict[str, type[OneStep]]] = {}
    _text: str

    def __init_subclass__(cls) -> None:
        OneStep._classes[cls.__name__] = cls

    def describe(self) -> None:
        """Note the text; called at the end of ``__post_init__``."""
        fields: Any = asdict(self)  # type: ignore[call-overload]
        object.__setattr__(self, "_text", json.dumps([type(self).__name__, fields]))
        if "torch" in sys.modules:
            _define()


def one_step(method: Method) -> Method:
    """Make ``__call__`` of an augmentation an operator where torch, 2.4 or newer, compiles what calls it."""

    @wraps(method)
    def call(self: OneStep, images: Any, indices: Any = None, epoch: int = 0) -> Any:
        torch = sys.modules.get("torch")
        if torch is not None and hasattr(torch.library, "custom_op") and torch.compiler.is_compiling():
            return torch.ops.stirdata.augment(images, indices, epoch, self._text)
        if torch is not None:
            _define()
        return method(self, images, indices, epoch)

    return call  # type: ignore[return-value]


@lru_cache(maxsize=1)
def _define() -> None:
    """Define the operator."""
    import torch

    def augment(images: torch.Tensor, indices: torch.Tensor, epoch: int, text: str) -> torch.Tensor:
        result: torch.Tensor = _augmentation(text)(images, indices, epoch)
        return result.contiguous()

    def shaped(images: torch.Tensor, indices: torch.Tensor, epoch: int, text: str) -> torch.Tensor:
        return torch.empty(images.shape, dtype=images.dtype, device=images.device)

    if hasattr(torch.library, "custom_op"):
        operator = torch.library.custom_op("stirdata::augment", augment, mutates_args=(), schema=_SCHEMA)
        operator.register_fake(shaped)


@lru_cache(maxsize=64)
def _augmentation(text: str) -> Any:
    """Return the augmentation that a text is of."""
    name, fields = json.loads(text)
    return OneStep._classes[name](**fields)
