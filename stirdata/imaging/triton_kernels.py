"""Kernels for GPUs that do in one step what takes the array API dozens, with the same bits.

Triton comes with torch for CUDA. In its interpreter, ``TRITON_INTERPRET=1``, they take tensors on a CPU. The
kernels have no annotations: to Triton those are expressions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import triton
import triton.language as tl

if TYPE_CHECKING:
    import torch

LARGEST_SIDE = 64
"""Of images whose canvas one program computes in its registers."""
_LEVELS = 256
_VALUES = 1024
"""Values that one program looks up."""


def rescaled(images: torch.Tensor, scales: torch.Tensor) -> torch.Tensor:
    """Return what :func:`stirdata.imaging.bicubic.rescale` does.

    Args:
        images: uint8 (N, side, side), contiguous, of at most :data:`LARGEST_SIDE` pixels a side.
        scales: float64 (N,), contiguous.
    """
    import torch

    count, side, _ = images.shape
    result = torch.empty_like(images)
    if count and side:
        # Without contraction of multiplications and additions: they round twice, as Pillow's do.
        _rescale[(count,)](images, scales, result, side, triton.next_power_of_2(side), enable_fp_fusion=False)
    return result


def look_up(levels: torch.Tensor, table: torch.Tensor, inner: int, out: torch.Tensor) -> None:
    """Write a number for every level.

    Args:
        levels: uint8, in memory as ``out``.
        table: Numbers for the 256 levels, (256,), or for those of each channel, (channels, 256).
        inner: How many values of a channel lie next to each other.
        out: Of the type of the table.
    """
    count = levels.numel()
    if count:
        channels = table.numel() // _LEVELS
        _look_up[(triton.cdiv(count, _VALUES),)](
            levels, table, out, count, inner, channels, _VALUES, enable_fp_fusion=False
        )


@triton.jit
def _look_up(levels, table, out, count, inner, channels: tl.constexpr, size: tl.constexpr):
    place = tl.program_id(0).to(tl.int64) * size + tl.arange(0, size)
    seen = place < count
    row = tl.load(levels + place, mask=seen, other=0).to(tl.int32)
    if channels > 1:
        row += (place // inner % channels).to(tl.int32) * 256
    tl.store(out + place, tl.load(table + row, mask=seen), mask=seen)


@triton.jit
def _rescale(images, scales, result, side: tl.constexpr, size: tl.constexpr):
    """Rescale one image, with ``size`` a power of two that is not below its side.

    Every value is made of sixteen: along x for four rows, then along y. To compute a row once for each value
    that it is part of takes less than to hand it from one thread to another.
    """
    image = tl.program_id(0).to(tl.int64)
    centre: tl.constexpr = side * 0.5 + 0.5
    factor = 1.0 / tl.load(scales + image)
    offset = factor * -centre + 0.0 * -centre
    offset = offset + centre
    position = tl.arange(0, size)
    source = factor * (position.to(tl.float64) + 0.5) + offset
    inside = (source >= 0.0) & (source < side) & (position < side)
    source = tl.where(inside, source, 0.0) - 0.5
    below = tl.floor(source)
    fraction = source - below
    nearest = below.to(tl.int32)
    pixels = images + image * (side * side)
    seen = inside[:, None] & inside[None, :]
    value = _cubic(
        _row(pixels, nearest, fraction, seen, -1, side),
        _row(pixels, nearest, fraction, seen, 0, side),
        _row(pixels, nearest, fraction, seen, 1, side),
        _row(pixels, nearest, fraction, seen, 2, side),
        fraction[:, None],
    )
    value = tl.where(seen, tl.minimum(tl.maximum(value, 0.0), 255.0), 0.0)
    place = position[:, None] * side + position[None, :]
    on_canvas = (position < side)[:, None] & (position < side)[None, :]
    tl.store(result + image * (side * side) + place, value.to(tl.int32).to(tl.uint8), mask=on_canvas)


@triton.jit
def _row(pixels, nearest, fraction, seen, down: tl.constexpr, side: tl.constexpr):
    """Interpolate along x the row that is so far below the one above each position."""
    start = pixels + _line(nearest, down, side)[:, None] * side
    return _cubic(
        tl.load(start + _line(nearest, -1, side)[None, :], mask=seen, other=0).to(tl.float64),
        tl.load(start + _line(nearest, 0, side)[None, :], mask=seen, other=0).to(tl.float64),
        tl.load(start + _line(nearest, 1, side)[None, :], mask=seen, other=0).to(tl.float64),
        tl.load(start + _line(nearest, 2, side)[None, :], mask=seen, other=0).to(tl.float64),
        fraction[None, :],
    )


@triton.jit
def _line(nearest, distance: tl.constexpr, side: tl.constexpr):
    return tl.minimum(tl.maximum(nearest + distance, 0), side - 1)


@triton.jit
def _cubic(v1, v2, v3, v4, d):
    """Pillow's cubic; see :func:`stirdata.imaging.bicubic._cubic`."""
    rise = v2 - v1
    linear = v3 - v1
    square = v3 - (rise + rise) - v4
    cubic = rise - v3 + v4
    return v2 + d * (linear + d * (square + d * cubic))
