"""Several arrays read as one."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stirdata.loading.selection import MemoryBytes
from stirdata.storage.image_bytes import Block, JoinedBytes


@given(
    st.lists(st.integers(0, 12), min_size=1, max_size=6),
    st.lists(st.tuples(st.integers(0, 60), st.integers(1, 30)), max_size=8),
)
def test_blocks_reach_over_any_parts(lengths, asked):
    whole = np.arange(sum(lengths), dtype=np.uint8)
    ends = np.cumsum(lengths)
    parts = [whole[end - length : end] for end, length in zip(ends, lengths, strict=True)]
    joined = JoinedBytes(tuple((MemoryBytes(lambda part=part: part), len(part)) for part in parts))
    wanted = sorted((start, count) for start, count in asked if start + count <= len(whole))
    ascending, last = [], 0
    for start, count in wanted:
        if start >= last:
            ascending.append((start, count))
            last = start + count
    targets = [np.full(count, 255, np.uint8) for _, count in ascending]
    blocks = [Block(start, target.data) for (start, _), target in zip(ascending, targets, strict=True)]
    for number, _ in enumerate(joined.fill(blocks)):
        start, count = ascending[number]
        assert targets[number].tolist() == whole[start : start + count].tolist()
    assert all(255 not in target for target in targets)
