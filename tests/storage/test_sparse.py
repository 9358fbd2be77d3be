"""A file in memory behaves as one on disk, whatever is written, read, sought and cut."""

from __future__ import annotations

import io
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from stirdata.storage.sparse import SparseFile

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("seek"), st.integers(0, 20_000), st.sampled_from([io.SEEK_SET, io.SEEK_END])),
        st.tuples(st.just("write"), st.binary(max_size=6000)),
        st.tuples(st.just("read"), st.integers(0, 9000)),
    ),
    max_size=12,
)


@given(STEPS)
def test_steps_give_what_they_give_on_disk(tmp_path_factory: object, steps: list[tuple[object, ...]]) -> None:
    folder: Path = tmp_path_factory.getbasetemp()  # type: ignore[attr-defined]
    found = SparseFile()
    with (folder / "a").open("w+b", buffering=0) as file:
        for name, *arguments in steps:
            assert getattr(found, name)(*arguments) == getattr(file, name)(*arguments)
    content = (folder / "a").read_bytes()
    assert found.size == len(content)
    assert b"".join(found.pieces(0, found.size)) == content
    middle = len(content) // 2
    assert b"".join(found.pieces(3, middle)) == content[3:middle]


def test_what_was_cut_off_is_not_there() -> None:
    found = SparseFile()
    found.write(b"x" * 10_000)
    assert found.truncate(5) == 5
    assert b"".join(found.pieces(0, found.size)) == b"xxxxx"
