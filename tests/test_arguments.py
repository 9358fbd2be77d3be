"""Checks of single arguments."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from stirdata.arguments import checked_flag, checked_function, checked_integer
from stirdata.errors import ParameterError


@pytest.mark.parametrize("value", [3, np.int64(3), np.uint8(3), np.int32(3)])
def test_integers_of_any_kind_are_integers(value: Any) -> None:
    assert type(checked_integer("seed", value, 3)) is int
    assert checked_integer("seed", value, 0) == 3


@pytest.mark.parametrize("value", [-1, 2, 3.0, "3", None, True, np.float64(3)])
def test_what_is_no_integer_or_too_small_is_refused(value: Any) -> None:
    with pytest.raises(ParameterError, match="seed") as error:
        checked_integer("seed", value, 3)
    assert (error.value.where, error.value.expected) == ("seed", "an integer of 3 or more")
    assert error.value.got == repr(value)


@pytest.mark.parametrize("flag", [True, False])
@pytest.mark.parametrize("kind", [bool, int, np.bool_, np.int8, torch.tensor])
def test_flags_of_any_kind_are_flags(flag: bool, kind: Any) -> None:
    assert checked_flag("shuffle", kind(flag)) is flag


@pytest.mark.parametrize("value", ["cuda", "yes", 2, -1, 1.0, None, (0.1, 0.2), torch.device("cpu")])
def test_what_was_meant_for_another_argument_is_no_flag(value: Any) -> None:
    with pytest.raises(ParameterError, match="shuffle is neither") as error:
        checked_flag("shuffle", value)
    assert (error.value.where, error.value.got) == ("shuffle", repr(value))
    assert error.value.hint


def test_functions_can_be_called() -> None:
    assert checked_function("transform", None) is None
    assert checked_function("transform", len) is len
    with pytest.raises(ParameterError, match="transform cannot be called") as error:
        checked_function("transform", True)
    assert (error.value.where, error.value.got) == ("transform", "True")
