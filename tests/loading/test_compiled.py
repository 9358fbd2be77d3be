"""Augmentations inside functions that torch compiles: one step, with the bits that they have outside."""

from __future__ import annotations

import pickle
import shutil
import subprocess
import sys
import warnings
from typing import Any

import pytest
import torch

from stirdata import ScaleAugment, ShiftAugment, STL10Augment

AUGMENTATIONS = [
    ScaleAugment(0.5, 2.0, seed=3),
    ScaleAugment(0.1, 0.3, seed=2**70),
    ShiftAugment(3, seed=1, beyond="mirror"),
    STL10Augment(seed=4),
]


@pytest.fixture(autouse=True)
def _fresh() -> Any:
    torch.compiler.reset()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield
    torch.compiler.reset()


def images_of(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (count, 3, 20, 20), dtype=torch.uint8, generator=random)
    return images, torch.arange(count) * 7


@pytest.mark.parametrize("augment", AUGMENTATIONS, ids=repr)
def test_an_augmentation_is_one_step_of_a_compiled_function(augment: Any) -> None:
    graphs = []

    def backend(graph: torch.fx.GraphModule, inputs: Any) -> Any:
        graphs.append([node.target for node in graph.graph.nodes if node.op == "call_function"])
        return graph.forward

    def step(images: torch.Tensor, indices: torch.Tensor, epoch: int) -> torch.Tensor:
        return augment(images, indices, epoch) + 1

    compiled = torch.compile(step, backend=backend, fullgraph=True)
    for count, epoch in ((8, 5), (8, 6), (3, 6)):
        images, indices = images_of(count)
        assert torch.equal(compiled(images, indices, epoch), augment(images, indices, epoch) + 1)
    for called in graphs:
        assert [str(target) for target in called] == ["stirdata.augment", str(called[1])]


def test_a_pickled_augmentation_is_the_same_step() -> None:
    augment = pickle.loads(pickle.dumps(AUGMENTATIONS[0]))
    assert augment == AUGMENTATIONS[0]
    images, indices = images_of(4)
    compiled = torch.compile(augment, backend="eager", fullgraph=True)
    assert torch.equal(compiled(images, indices, 2), augment(images, indices, 2))


def test_channels_last_images_are_taken() -> None:
    images, indices = images_of(4)
    images = images.contiguous(memory_format=torch.channels_last)
    compiled = torch.compile(AUGMENTATIONS[0], backend="aot_eager", fullgraph=True)
    assert torch.equal(compiled(images, indices, 2), AUGMENTATIONS[0](images, indices, 2))


def test_a_bad_batch_is_told_as_ever() -> None:
    images, indices = images_of(4)
    compiled = torch.compile(AUGMENTATIONS[0], backend="eager", fullgraph=True)
    with pytest.raises(Exception, match="these are no square 8-bit images"):
        compiled(images[:, :, :5].contiguous(), indices, 0)


_LATER = """
from stirdata import ScaleAugment
augment = ScaleAugment(0.5, 2.0, seed=3)
import torch
images, indices = torch.full((2, 1, 9, 9), 7, dtype=torch.uint8), torch.arange(2)
expected = augment(images, indices, 1)
compiled = torch.compile(lambda *given: augment(*given), backend="eager", fullgraph=True)
print(torch.equal(compiled(images, indices, 1), expected))
"""


def test_torch_may_come_after_the_augmentation() -> None:
    run = subprocess.run([sys.executable, "-c", _LATER], check=True, capture_output=True, text=True)
    assert run.stdout == "True\n"


@pytest.mark.skipif(shutil.which("g++") is None, reason="the compiler for the CPU needs g++")
def test_the_compiler_of_torch_leaves_the_bits() -> None:
    augment = AUGMENTATIONS[0]
    warnings.simplefilter("ignore")  # the compiler has its own
    compiled = torch.compile(lambda *given: augment(*given).float() / 255, fullgraph=True)
    images, indices = images_of(8)
    assert torch.equal(compiled(images, indices, 5), augment(images, indices, 5).float() / 255)
