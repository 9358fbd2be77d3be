"""Images on their way to a device: in pieces, through two buffers, and what a lack of memory gets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from stir_loading import small_file

from stirdata import StirdataError, STIRDataset
from stirdata.errors import NotEnoughMemoryError
from stirdata.loading import arranging as loading
from stirdata.loading import arranging as memory
from stirdata.loading import arranging as transport
from stirdata.loading.memory import empty_images
from stirdata.loading.tensors import Form, to_float

CPU = torch.device("cpu")
needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


@pytest.mark.parametrize("piece", [1, 300, 1000, 10**9])
@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32, torch.bfloat16])
def test_the_size_of_pieces_does_not_show(
    piece: int, shuffle: bool, dtype: torch.dtype, tmp_path: Path, monkeypatch: Any
) -> None:
    dataset = STIRDataset(small_file(tmp_path, "colour"))
    expected = dataset.to_torch("test", None, shuffle, dtype=dtype)
    monkeypatch.setattr(loading, "_PIECE_BYTES", piece)
    assert torch.equal(dataset.to_torch("test", None, shuffle, dtype=dtype).images, expected.images)


@pytest.mark.parametrize("name", ["grey", "colour"])
@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("channels_last", [False, True])
def test_bytes_are_arranged_alike_with_the_steps_of_other_devices(
    name: str, shuffle: bool, channels_last: bool, tmp_path: Path, monkeypatch: Any
) -> None:
    dataset = STIRDataset(small_file(tmp_path, name))
    monkeypatch.setattr(loading, "_PIECE_BYTES", 500)
    selection = dataset.select("test", (3, 12), shuffle)
    here = np.zeros((8, 144 * dataset.num_channels), np.uint8)
    there = torch.zeros(here.shape, dtype=torch.uint8)
    loading._arrange(dataset.blocks(selection), selection, here, channels_last)
    loading._arrange_on_device(dataset.blocks(selection), selection, there, channels_last)
    assert here.any()
    np.testing.assert_array_equal(there.numpy(), here)


@pytest.mark.parametrize("count", [1, 31, 32, 33, 64, 65, 100, 1000])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("levels", [(None, None), (0.5, [0.1, 0.2, 0.3])])
def test_no_byte_is_overwritten_before_it_is_converted(
    count: int, dtype: torch.dtype, channels_last: bool, levels: Any
) -> None:
    pixels = torch.from_numpy(np.random.RandomState(count).randint(0, 256, (count, 3, 2, 5), np.uint8))
    result = empty_images((count, 3, 2, 5), dtype, CPU, channels_last=channels_last)
    rows = loading._last_bytes(result)
    rows.copy_((pixels.permute(0, 2, 3, 1) if channels_last else pixels).reshape(count, -1))
    loading._spread(result, rows, Form(dtype, channels_last, *levels))
    assert torch.equal(result, to_float(pixels, *levels, dtype=dtype))


@pytest.mark.parametrize("count", [33, 34, 35, 100, 1001])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_what_is_written_ends_before_what_is_read(
    count: int, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NumPy copies arrays that overlap, so that on the CPU wrong values would not show an overlap."""
    result = empty_images((count, 3, 2, 5), dtype, CPU)
    gaps = []

    def measured(pixels: torch.Tensor, target: torch.Tensor, *_: Any) -> None:
        gaps.append(pixels.data_ptr() - target.data_ptr() - target.numel() * target.element_size())

    monkeypatch.setattr(loading, "_convert", measured)
    loading._spread(result, loading._last_bytes(result), Form(dtype))
    assert all(gap >= 0 for gap in gaps[:-1])
    assert len(gaps) > 1


def test_read_only_blocks_are_taken_too(tmp_path: Path, monkeypatch: Any) -> None:
    dataset = STIRDataset(small_file(tmp_path))
    expected = dataset.to_torch("test")
    blocks = dataset.blocks

    def frozen(selection: Any) -> Any:
        for place, shared in blocks(selection):
            block = shared.copy()
            block.flags.writeable = False
            yield place, block

    monkeypatch.setattr(dataset, "blocks", frozen)
    assert torch.equal(dataset.to_torch("test").images, expected.images)


class Event:
    """Stands for an event of CUDA, and writes down what happens to it."""

    log: list[tuple[str, int]] = []  # noqa: RUF012 - emptied by the test

    def synchronize(self) -> None:
        self.log.append(("wait", id(self)))

    def record(self, stream: object) -> None:
        self.log.append(("sent", id(self)))


def test_a_buffer_is_filled_again_only_after_the_device_has_read_it(monkeypatch: Any) -> None:
    """The same steps as for CUDA, on the CPU, with events that only write down their order."""
    Event.log.clear()
    empty = torch.empty

    def pageable(size: int, *, dtype: torch.dtype, device: Any = None, pin_memory: bool = False) -> Any:
        return empty(size, dtype=dtype, device=device)

    monkeypatch.setattr(torch, "empty", pageable)
    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: None)
    bring = transport.Transport(CPU, page_locked=True)
    values = np.random.RandomState(0)
    for count in (4, 4, 3, 1, 9, 2, 9):
        piece = values.randint(0, 256, (count, 5, 5, 3)).astype(np.uint8)
        np.testing.assert_array_equal(bring(piece).numpy(), piece)
    sent: set[int] = set()
    previous = None
    for (wait, waited), (sending, event) in zip(Event.log[::2], Event.log[1::2], strict=True):
        assert (wait, sending, waited) == ("wait", "sent", event)
        assert event != previous
        previous = event
        sent.add(event)
    assert len(sent) == 4  # two buffers, and two larger ones after the first piece that needs them


@needs_cuda
def test_the_device_needs_little_beyond_the_result(tmp_path: Path) -> None:
    dataset = STIRDataset(small_file(tmp_path, "published"))
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    images = dataset.to_torch("train", device="cuda").images
    beyond = torch.cuda.max_memory_allocated() - before - images.nbytes
    assert beyond < 10 * loading._PIECE_BYTES


def fails_with(error: Exception) -> Any:
    def empty_images(*arguments: Any, **options: Any) -> Any:
        raise error

    return empty_images


@pytest.mark.parametrize(
    "failure",
    [
        MemoryError("Unable to allocate 9 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:119] . DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes."),
        torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB."),
        RuntimeError("MPS backend out of memory"),
    ],
)
def test_a_failed_allocation_says_what_is_needed(
    failure: Exception, tmp_path: Path, monkeypatch: Any
) -> None:
    dataset = STIRDataset(small_file(tmp_path))
    monkeypatch.setattr(loading, "empty_images", fails_with(failure))
    with pytest.raises(NotEnoughMemoryError, match="do not fit into memory") as error:
        dataset.to_torch("test")
    assert isinstance(error.value, StirdataError)
    assert (error.value.where, error.value.got) == ("device cpu", "less")
    assert error.value.expected == f"{12 * 12 * 12 * 4} bytes (0.00 GB) free"
    assert "float16" in error.value.hint
    assert error.value.__cause__ is failure


def test_other_errors_stay_what_they_are(tmp_path: Path, monkeypatch: Any) -> None:
    dataset = STIRDataset(small_file(tmp_path))
    monkeypatch.setattr(loading, "empty_images", fails_with(RuntimeError("something else")))
    with pytest.raises(RuntimeError, match="something else") as error:
        dataset.to_torch("test")
    assert not isinstance(error.value, StirdataError)


def test_a_device_that_can_tell_is_asked_before(tmp_path: Path, monkeypatch: Any) -> None:
    dataset = STIRDataset(small_file(tmp_path))
    needed = 12 * 12 * 12
    monkeypatch.setattr(loading, "empty_images", fails_with(AssertionError("it was tried")))
    monkeypatch.setattr(memory, "free_bytes", lambda device: needed - 1)
    with pytest.raises(NotEnoughMemoryError) as error:
        dataset.to_torch("test", dtype=torch.uint8)
    assert error.value.expected == f"{needed} bytes (0.00 GB) free"
    assert error.value.got == f"{needed - 1} bytes (0.00 GB) free"


def test_free_memory_counts_what_torch_holds_in_reserve(monkeypatch: Any) -> None:
    assert memory.free_bytes(CPU) is None
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (100, 1000))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 50)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 20)
    assert memory.free_bytes(torch.device("cuda", 0)) == 130
