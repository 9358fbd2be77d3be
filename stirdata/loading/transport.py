"""Bringing bytes to a device while the host goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray


class Transport:
    """Brings pieces of uint8 to a device, through page-locked memory where that lets the host go on.

    There are two page-locked buffers, so that one is filled while the other is on its way. What a call
    returns is valid until the next call, for work on the same stream.

    Args:
        device: Where to.
        page_locked: Whether to go through page-locked memory; by default for CUDA.
    """

    def __init__(self, device: torch.device, page_locked: bool | None = None) -> None:
        self._device = device
        self._page_locked = device.type == "cuda" if page_locked is None else page_locked
        self._buffers: list[_PageLocked] = []
        self._arrived: torch.Tensor | None = None

    def __call__(self, piece: NDArray[np.uint8]) -> torch.Tensor:
        """Return a piece as a tensor on the device."""
        import torch

        # torch warns of read-only arrays, whose memory it cannot protect.
        pixels = torch.from_numpy(piece if piece.flags.writeable else piece.copy())
        return self._sent(pixels) if self._page_locked else pixels.to(self._device)

    def _sent(self, pixels: torch.Tensor) -> torch.Tensor:
        import torch

        if self._arrived is None or self._arrived.numel() < pixels.numel():
            self._buffers = [_PageLocked(pixels.numel()), _PageLocked(pixels.numel())]
            self._arrived = torch.empty(pixels.numel(), dtype=torch.uint8, device=self._device)
        arrived = self._arrived[: pixels.numel()].view(pixels.shape)
        self._buffers[0].send(pixels, arrived)
        self._buffers.reverse()
        return arrived


class _PageLocked:
    """A page-locked buffer on the host, and when the device has read what is in it."""

    def __init__(self, size: int) -> None:
        import torch

        self._memory = torch.empty(size, dtype=torch.uint8, device="cpu", pin_memory=True)
        self._read = torch.cuda.Event()  # type: ignore[no-untyped-call]

    def send(self, pixels: torch.Tensor, target: torch.Tensor) -> None:
        """Copy pixels to the device once the device has read what was sent before."""
        import torch

        self._read.synchronize()
        filled = self._memory[: pixels.numel()].view(pixels.shape)
        filled.copy_(pixels)
        target.copy_(filled, non_blocking=True)
        self._read.record(torch.cuda.current_stream(target.device))
