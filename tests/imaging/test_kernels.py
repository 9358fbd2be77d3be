"""The kernels for GPUs, in Triton's interpreter where there is none."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from importlib.util import find_spec
from typing import Any

import pytest
import torch

from stirdata.imaging import kernels

needs_triton = pytest.mark.skipif(find_spec("triton") is None, reason="Triton is not installed")

_INTERPRETED = """
import numpy as np
import torch
from oracles import pillow_rescaled
from stirdata.imaging import bicubic, kernels, triton_kernels
from stirdata.loading import tensors

assert kernels.works(triton_kernels, torch.device("cpu"))
random = np.random.RandomState(1)
for side in (1, 2, 9, 28):
    images = random.randint(0, 256, (6, side, side)).astype(np.uint8)
    for scales in (np.exp(random.uniform(-3, 1, 6)), np.array([1e-300, 1e-15, 0.01, 14 / 14.5, 1.0, 8.0])):
        found = triton_kernels.rescaled(torch.from_numpy(images), torch.from_numpy(scales)).numpy()
        assert np.array_equal(found, pillow_rescaled(images, scales)), (side, scales)
assert len(triton_kernels.rescaled(torch.zeros(0, 3, 3, dtype=torch.uint8), torch.zeros(0).double())) == 0

bicubic.kernels_for = tensors.kernels_for = lambda device: triton_kernels
counts = []
images, scales = random.randint(0, 256, (5, 9, 9)).astype(np.uint8), np.array([0.3, 0.5, 0.7, 1.0, 2.0])
result = bicubic.rescale(torch.from_numpy(images).mT, torch.from_numpy(scales), advance=counts.append)
assert np.array_equal(result.numpy(), pillow_rescaled(images.transpose(0, 2, 1).copy(), scales))
assert counts == [5]

levels = torch.arange(256, dtype=torch.uint8).repeat(9).reshape(4, 3, 16, 12)
for mean, std in ((None, None), (0.3, 0.7), ((0.1, 0.2, 0.3), (0.9, 0.8, 0.7)), (0.5, (0.9, 0.8, 0.7))):
    for dtype in (torch.float32, torch.float16, torch.bfloat16):
        for channels_last in (False, True):
            given = levels.contiguous(memory_format=torch.channels_last) if channels_last else levels
            make = lambda: tensors.Converter(
                torch.device("cpu"), mean, std, dtype=dtype, channels_last=channels_last, in_one_thread=False
            )
            looked_up = make()
            assert looked_up._table.dtype == dtype
            stepwise = make()
            stepwise._table = None
            for pixels in (given, levels, levels[:, :, ::2]):
                one, other = looked_up(pixels), stepwise(pixels)
                assert torch.equal(one, other) and one.stride() == other.stride(), (mean, dtype)
print("all")
"""


@needs_triton
def test_kernels_have_the_bits_of_pillow_and_of_steps() -> None:
    environment = os.environ | {"TRITON_INTERPRET": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-W", "ignore", "-c", _INTERPRETED]
    run = subprocess.run(command, check=False, env=environment, capture_output=True, text=True)
    assert (run.stdout, run.stderr) == ("all\n", "")


_COMPILED = """
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from stirdata.imaging import triton_kernels

signature = {"images": "*u8", "scales": "*fp64", "result": "*u8", "side": "constexpr", "size": "constexpr"}
source = ASTSource(triton_kernels._rescale, signature, {"side": 28, "size": 32})
for contracted in (True, False):
    made = triton.compile(source, target=GPUTarget("cuda", 90, 32), options={"enable_fp_fusion": contracted})
    print(made.asm["ptx"].count("fma.rn.f64"), made.asm["ptx"].count("div.rn.f64") > 0)
"""


@needs_triton
def test_compiled_for_a_gpu_nothing_is_contracted() -> None:
    run = subprocess.run([sys.executable, "-c", _COMPILED], check=True, capture_output=True, text=True)
    (contracted, _), (apart, divides) = (line.split() for line in run.stdout.splitlines())
    assert int(contracted) > 0
    assert (apart, divides) == ("0", "True")


def test_a_cpu_has_no_kernels() -> None:
    assert kernels.kernels_for(torch.device("cpu")) is None
    assert kernels.kernels_for("cpu") is None


@needs_triton
@pytest.mark.parametrize(
    ("fault", "said"), [(lambda *given: False, "other bits"), (lambda *given: 1 / 0, "ZeroDivisionError")]
)
def test_kernels_that_fail_are_not_used_and_that_is_said(monkeypatch: Any, fault: Any, said: str) -> None:
    monkeypatch.setattr(kernels, "works", fault)
    kernels._tested.cache_clear()
    with pytest.warns(RuntimeWarning, match=said):
        assert kernels.kernels_for(torch.device("cuda", 7)) is None
    assert kernels.kernels_for(torch.device("cuda", 7)) is None  # which is said once
    kernels._tested.cache_clear()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_uses_the_kernels() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert (kernels.kernels_for(torch.device("cuda", 0)) is not None) == (find_spec("triton") is not None)
