"""Going on where a transfer stopped: after a broken connection, another mirror, Ctrl-C, wrong bytes."""

import io
import os

import pytest
from fetched import CHECKED, CONTENT, HASHES, OTHER, SIZE, ranges, refused
from server import Reply, page

from stirdata import progress
from stirdata.errors import SourceError, TargetError
from stirdata.transfer import backoff, fetch, http_replies

HALF = 2 << 16  # whole pieces of what urllib3 before 2 reads at once: there the rest of one is lost
REST = f"bytes={HALF}-"


@pytest.fixture(autouse=True)
def _short_timeout(monkeypatch):
    monkeypatch.setattr(http_replies, "_TIMEOUT_SECONDS", (1, 0.2))


def check(path):
    if path.read_bytes() != CONTENT:
        raise SourceError("it is another file", where=path)


BROKEN = {
    "cut": ("close", "the connection ended early"),
    "reset": ("reset", "[Errno 104] Connection reset by peer"),
    "silence": ("silence", "Read timed out."),
}


@pytest.mark.parametrize(("ending", "reason"), BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize(
    "known", [{}, {"size": None}, {**CHECKED, "check": check}], ids=["all", "no size", "a check"]
)
def test_broken_body_is_gone_on_with(get, server, target, ending, reason, known, said, waits, content_of):
    get([Reply(CONTENT, cut=HALF, ending=ending), Reply(CONTENT)], **known)
    assert content_of(target.parent) == {"file.gz": CONTENT}
    first, second = server.requests
    assert first.range is None
    start = int(second.range.removeprefix("bytes=").removesuffix("-"))
    assert start == HALF if ending != "reset" else 0 < start <= HALF  # a reset may overtake bytes
    assert second.served == SIZE - start
    assert waits == [1]
    assert said == [f"file.gz from 127.0.0.1: {reason}; trying again in 1 s"]


def test_connection_that_breaks_every_time_but_gains(get, server, target, waits):
    get([Reply(CONTENT, cut=1 << 15)] * 9 + [Reply(CONTENT)])
    assert target.read_bytes() == CONTENT
    assert server.served == SIZE
    assert waits == [1] * 9


def test_body_without_a_length_that_ends_early(get, server, target):
    headers = {"Content-Length": None}
    get([Reply(CONTENT, cut=HALF, headers=headers), Reply(CONTENT)])
    assert target.read_bytes() == CONTENT
    assert ranges(server) == [None, REST]


def test_chunks_that_end_early(get, server, target):
    get([Reply(CONTENT, cut=HALF, chunked=True), Reply(CONTENT, chunked=True)], size=None)
    assert target.read_bytes() == CONTENT
    assert ranges(server) == [None, REST]


def test_connection_that_breaks_behind_the_last_byte(get, server, target, waits):
    get([Reply(CONTENT, chunked=True, cut=SIZE)])
    assert (ranges(server), waits) == ([None], [1])
    assert target.read_bytes() == CONTENT


def test_without_any_proof_nothing_is_joined(get, server, target, partial):
    partial.write_bytes(CONTENT[:HALF])
    get([Reply(CONTENT, cut=HALF), Reply(CONTENT)], hashes=None)
    assert target.read_bytes() == CONTENT
    assert ranges(server) == [None, None]


@pytest.mark.parametrize("count", [1, HALF, SIZE - 1])
def test_what_an_earlier_fetch_left_is_gone_on_with(get, server, target, partial, count, content_of):
    partial.write_bytes(CONTENT[:count])
    get([Reply(CONTENT)])
    assert content_of(target.parent) == {"file.gz": CONTENT}
    assert ranges(server) == [f"bytes={count}-"]
    assert server.served == SIZE - count


def test_complete_partial_file_needs_no_connection(get, server, target, partial, content_of):
    partial.write_bytes(CONTENT)
    result = get([page(403)])
    assert (result.already_there, result.url, result.sha256) == (False, None, HASHES["sha256"])
    assert server.requests == []
    assert content_of(target.parent) == {"file.gz": CONTENT}


@pytest.mark.parametrize("known", [{"size": None}, {**CHECKED, "check": check}], ids=["no size", "a check"])
@pytest.mark.parametrize("how", ["refused", "refused_silently"])
def test_416_for_a_complete_partial_file(get, server, target, partial, known, how, content_of):
    partial.write_bytes(CONTENT)
    get([Reply(CONTENT, ranges=how)], **known)
    assert ranges(server) == [f"bytes={SIZE}-"]
    assert server.served == 0
    assert content_of(target.parent) == {"file.gz": CONTENT}


@pytest.mark.parametrize("size", [SIZE, None])
@pytest.mark.parametrize("how", ["refused", "refused_silently"])
def test_416_for_a_part_starts_again(get, server, target, partial, size, how, content_of):
    partial.write_bytes(CONTENT[:HALF])
    get([Reply(CONTENT, ranges=how)], size=size)
    assert ranges(server) == [REST, None]
    assert server.served == SIZE
    assert content_of(target.parent) == {"file.gz": CONTENT}


@pytest.mark.parametrize("size", [SIZE, None])
def test_partial_file_that_is_too_long(get, server, target, partial, size, content_of):
    partial.write_bytes(CONTENT + b"more")
    get([Reply(CONTENT)], size=size)
    assert ranges(server) == ([None] if size else [f"bytes={SIZE + 4}-", None])
    assert content_of(target.parent) == {"file.gz": CONTENT}


PLACES = {
    "ignored": (Reply(CONTENT, ranges="ignored"), [REST]),
    "from the start": (Reply(CONTENT, ranges="earlier"), [REST]),
    "a bit earlier": (Reply(CONTENT, ranges="earlier", early=1000), [REST, None]),
    "unplaced": (Reply(CONTENT, ranges="unplaced"), [REST, None]),
}


@pytest.mark.parametrize(("reply", "asked"), PLACES.values(), ids=PLACES)
def test_range_that_is_not_honoured(get, server, target, partial, reply, asked, content_of):
    partial.write_bytes(CONTENT[:HALF])
    get([reply])
    assert ranges(server) == asked
    assert content_of(target.parent) == {"file.gz": CONTENT}


def test_range_ignored_again_and_again_gains_nothing(get, server, target, waits):
    farther, less_far = (Reply(CONTENT, ranges="ignored", cut=cut) for cut in (HALF, 10))
    (reason,) = refused(get, [farther, less_far] * 10)
    assert reason == "the connection ended early (6 attempts)"
    assert waits == [1, 2, 4, 8, 16]
    assert len(server.requests) == 6


def test_file_that_changed_between_is_asked_for_from_its_beginning_once(get, server, target, partial, said):
    partial.write_bytes(bytes(HALF))
    get([Reply(CONTENT)])
    assert ranges(server) == [REST, None]
    assert target.read_bytes() == CONTENT
    assert said == [
        "file.gz from 127.0.0.1: what was resumed is not the wanted file; starting from its beginning"
    ]


def test_complete_partial_file_that_is_wrong(get, server, target, partial, content_of):
    partial.write_bytes(OTHER)
    get([Reply(CONTENT)])
    assert ranges(server) == [None]
    assert content_of(target.parent) == {"file.gz": CONTENT}


def test_wrong_file_is_asked_for_from_its_beginning_only_once(get, server, target, partial, content_of):
    partial.write_bytes(CONTENT[:HALF])
    (reason,) = refused(get, [Reply(OTHER)])
    assert reason.startswith("it has the md5 ")
    assert ranges(server) == [REST, None]
    assert content_of(target.parent) == {}


def test_next_mirror_goes_on_where_the_first_one_stopped(get, server, target):
    result = get([Reply(CONTENT, cut=HALF), page(403)], [Reply(CONTENT)])
    assert [(request.path, request.range) for request in server.requests] == [
        ("/0", None),
        ("/0", REST),
        ("/1", REST),
    ]
    assert result.url == server.url("/1")
    assert target.read_bytes() == CONTENT


def test_next_mirror_with_another_file_is_asked_for_all_of_it(get, server, target):
    get([Reply(OTHER[::-1], cut=HALF), page(403)], [Reply(CONTENT)])
    assert [(request.path, request.range) for request in server.requests][2:] == [("/1", REST), ("/1", None)]
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize(
    "reply", [page(), page(503), page(403), Reply(CONTENT + b"?"), Reply(b"", 404)], ids=lambda r: r.status
)
def test_mirror_without_the_file_does_not_cost_what_was_there(get, target, partial, reply, content_of):
    partial.write_bytes(CONTENT[:HALF])
    refused(get, [reply])
    assert content_of(target.parent) == {".file.gz.partial": CONTENT[:HALF]}


def test_failing_says_what_is_kept(get, target, content_of):
    with pytest.raises(fetch.SourceUnavailableError) as caught:
        get([Reply(CONTENT, cut=HALF), page(403)])
    assert caught.value.hint == f"try again: the {HALF} bytes that came are kept"
    assert content_of(target.parent) == {".file.gz.partial": CONTENT[:HALF]}


def test_interrupted_transfer_is_kept_and_gone_on_with(get, server, target, monkeypatch, content_of):
    def interrupt(self, count):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(progress.Progress, "advance", interrupt)
        with pytest.raises(KeyboardInterrupt):
            get([Reply(CONTENT)])
    ((name, kept),) = content_of(target.parent).items()
    assert name == ".file.gz.partial"
    assert CONTENT.startswith(kept)
    assert kept
    get([Reply(CONTENT)])
    assert ranges(server) == [None, f"bytes={len(kept)}-"]
    assert content_of(target.parent) == {"file.gz": CONTENT}


def test_interrupted_pause_keeps_what_is_there(get, target, monkeypatch, content_of):
    def interrupt(seconds):
        raise KeyboardInterrupt

    monkeypatch.setattr(backoff, "_sleep", interrupt)
    with pytest.raises(KeyboardInterrupt):
        get([Reply(CONTENT, cut=HALF)])
    assert content_of(target.parent) == {".file.gz.partial": CONTENT[:HALF]}


class Terminal(io.StringIO):
    """Standard error that somebody sees."""

    def isatty(self):
        return True


@pytest.mark.filterwarnings("ignore:datetime.datetime.utcfromtimestamp:DeprecationWarning")  # tqdm 4.60
@pytest.mark.parametrize("quiet", [False, True])
def test_bar_counts_what_was_there(server, target, partial, monkeypatch, quiet):
    partial.write_bytes(CONTENT[:HALF])
    shown = Terminal()
    monkeypatch.setattr("sys.stderr", shown)
    url = server.add("/f", Reply(CONTENT))
    fetch.fetch([url], target, hashes=HASHES, size=SIZE, limit=SIZE, quiet=quiet)
    if quiet:
        assert shown.getvalue() == ""
    else:
        assert "file.gz:  44%" in shown.getvalue()
        assert "131k/300k" in shown.getvalue()


@pytest.mark.parametrize("quiet", [False, True])
def test_waiting_is_shown_without_a_terminal_too(server, target, capsys, quiet):
    url = server.add("/f", page(503), Reply(CONTENT))
    fetch.fetch([url], target, hashes=HASHES, limit=SIZE, quiet=quiet)
    expected = "file.gz from 127.0.0.1: 503 Service Unavailable, a web page; trying again in 1 s\n"
    assert capsys.readouterr().err == ("" if quiet else expected)


@pytest.mark.skipif(not hasattr(os, "symlink") or os.name == "nt", reason="links need rights on Windows")
@pytest.mark.parametrize("how", ["symlink", "dangling", "hard link", "folder", "fifo"])
def test_what_somebody_planted_is_not_written_to(get, server, target, partial, how, tmp_path, content_of):
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    plant = {
        "symlink": lambda: partial.symlink_to(victim),
        "dangling": lambda: partial.symlink_to(tmp_path / "nowhere"),
        "hard link": lambda: os.link(victim, partial),
        "folder": partial.mkdir,
        "fifo": lambda: os.mkfifo(partial),
    }
    plant[how]()
    get([Reply(CONTENT)])
    assert ranges(server) == [None]
    assert content_of(tmp_path) == {"cache": None, "cache/file.gz": CONTENT, "victim": b"precious"}
    assert not target.is_symlink()


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_what_is_planted_between_look_and_opening_is_not_written_to(
    get, server, partial, tmp_path, monkeypatch, content_of
):
    victim, opened = tmp_path / "victim", os.open
    victim.write_bytes(b"precious")

    def plant_and_open(path, *arguments):
        if path == partial:
            os.link(victim, partial)
        return opened(path, *arguments)

    monkeypatch.setattr(os, "open", plant_and_open)
    with pytest.raises(TargetError, match="somebody else has just put a file") as caught:
        get([Reply(CONTENT)])
    assert caught.value.hint == "choose a folder that only you may write to"
    assert victim.read_bytes() == b"precious"
    assert server.requests == []


def test_file_and_folder_have_the_rights_that_the_user_wants(server, tmp_path):
    before = os.umask(0o027)
    try:
        target = tmp_path / "new" / "file"
        fetch.fetch([server.add("/f", Reply(CONTENT))], target, limit=SIZE, quiet=True)
    finally:
        os.umask(before)
    assert target.stat().st_mode & 0o777 == 0o640
    assert target.parent.stat().st_mode & 0o777 == 0o750
