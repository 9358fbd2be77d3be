"""The numbers of a stream are the same for ever, everywhere."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from stirdata.loading import epochs as streams
from stirdata.loading.epochs import permutation, random_words, stream_key

CUDA = pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"))


def splitmix(key: int, counter: int) -> int:
    """SplitMix64 in Python's integers, which have no width: the upper 53 bits of an output."""
    word = (key + (counter + 1) * 0x9E3779B97F4A7C15) % 2**64
    word = (word ^ (word >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    word = (word ^ (word >> 27)) * 0x94D049BB133111EB % 2**64
    return (word ^ (word >> 31)) >> 11


def test_words_are_the_published_outputs_of_splitmix() -> None:
    published = [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]
    assert random_words(0, np.arange(3)).tolist() == [word >> 11 for word in published]


@given(
    key=st.integers(-(2**63), 2**63 - 1),
    counters=st.lists(st.integers(0, 2**62), min_size=1, max_size=20),
)
def test_words_are_those_of_unbounded_integers_in_both_libraries(key: int, counters: list[int]) -> None:
    expected = [splitmix(key, counter) for counter in counters]
    assert random_words(key, np.array(counters, np.int64)).tolist() == expected
    assert random_words(key, torch.tensor(counters)).tolist() == expected


@pytest.mark.parametrize("device", ["cpu", CUDA])
def test_words_of_every_device_are_those_of_numpy(device: str) -> None:
    counters = np.arange(100_000)
    words = random_words(-12345, torch.tensor(counters, device=device))
    assert (words.dtype, words.device.type) == (torch.int64, device)
    np.testing.assert_array_equal(words.cpu().numpy(), random_words(-12345, counters))


def test_words_fill_their_range_evenly() -> None:
    words = random_words(stream_key("test", 0, 0), np.arange(64_000))
    assert (words >= 0).all()
    assert (words < 2**53).all()
    counts = np.bincount(words >> 47, minlength=64)
    assert 800 < counts.min() <= counts.max() < 1200  # 1000 expected, standard deviation 31


def test_keys_differ_by_purpose_seed_and_epoch() -> None:
    keys = {stream_key(purpose, seed, epoch) for purpose in "ab" for seed in range(12) for epoch in range(12)}
    assert len(keys) == 2 * 12 * 12
    digest = hashlib.sha256(b"stirdata/a/1/2/3").digest()
    assert stream_key("a", 2, 3) == int.from_bytes(digest[:8], "big", signed=True)


PINNED = {(0, 0): [9, 6, 7, 10, 2, 5, 8, 3, 4, 1, 11, 0], (3, 7): [7, 3, 2, 0, 11, 6, 10, 4, 9, 5, 8, 1]}


def test_permutations_stay_what_they_were() -> None:
    """Training runs of the past depend on them: this test may never change."""
    assert permutation(0, 0, 12).tolist() == PINNED[0, 0]
    assert permutation(3, 7, 12).tolist() == PINNED[3, 7]


def test_equal_numbers_keep_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "random_words", lambda _, counters: counters % 3)
    assert permutation(0, 0, 999).tolist() == [*range(0, 999, 3), *range(1, 999, 3), *range(2, 999, 3)]


@pytest.mark.parametrize("count", [0, 1, 2, 1000])
def test_permutations_hold_every_item_once(count: int) -> None:
    order = permutation(5, 6, count)
    assert order.dtype == np.int64
    assert sorted(order.tolist()) == list(range(count))


def test_permutations_differ_by_seed_and_epoch() -> None:
    orders = [permutation(seed, epoch, 50).tolist() for seed in range(3) for epoch in range(3)]
    assert len({tuple(order) for order in orders}) == 9


def test_every_item_comes_to_every_place() -> None:
    counts = np.zeros((5, 5))
    for epoch in range(2000):
        counts[np.arange(5), permutation(0, epoch, 5)] += 1
    assert 320 < counts.min() <= counts.max() < 480  # 400 expected, standard deviation 18
