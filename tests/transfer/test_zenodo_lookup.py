"""Looking up records: every way in which Zenodo answers, on a server of this machine."""

import socket

import pytest
from server import Reply, Server, json_reply, page, redirect
from zenodo_site import NUMBER, paths, publish, published, record, record_of_2023

from stirdata import __version__
from stirdata.errors import ParameterError, SourceError, SourceUnavailableError
from stirdata.transfer import backoff
from stirdata.transfer import zenodo_lookup as lookup
from stirdata.transfer.zenodo_lookup import look_up, record_number, site_of

API = f"/api/records/{NUMBER}"
LATEST = f"{API}/versions/latest"
GONE = {"status": 410, "message": "The record has been deleted."}
MOVED = {"status": 301, "message": "Moved Permanently", "location": "/api/records/77"}


@pytest.fixture
def server():
    with Server() as started:
        yield started


@pytest.fixture
def ask(server):
    """Look up a record on the server; what was said is in ``ask.said``."""

    def run(number=NUMBER, **options):
        return look_up(number, server.url("").rstrip("/"), say=run.said.append, **options)

    run.said = []
    return run


@pytest.mark.parametrize("form", [record, record_of_2023])
def test_both_forms_say_the_same(server, ask, form):
    server.add(API, json_reply(form(server, published())))
    found = ask()
    assert (found.id, found.concept, list(found.files)) == (NUMBER, "6578037", list(published()))
    assert [file.size for file in found.files.values()] == [len(data) for data in published().values()]
    assert paths(server) == [API]
    assert ask.said == []


def test_says_who_asks_and_for_what(server, ask):
    publish(server)
    ask()
    (request,) = server.requests
    assert request.headers["User-Agent"].startswith(f"stirdata/{__version__}")
    assert request.headers["Accept"] == "application/json"


def test_number_of_all_versions(server, ask):
    server.add(LATEST, json_reply(record(server, published(), "6578039", concept=NUMBER)))
    assert ask().id == "6578039"
    assert paths(server) == [API, LATEST]


def test_number_of_all_versions_that_redirects(server, ask):
    server.add(API, redirect("/api/records/6578039"))
    server.add("/api/records/6578039", json_reply(record(server, published(), "6578039", concept=NUMBER)))
    assert ask().id == "6578039"
    assert ask.said == [f"record {NUMBER}: it leads to record 6578039"]


def test_redirect_from_the_old_address(server, ask):
    server.add(API, redirect(f"/api/record/{NUMBER}", 301))
    server.add(f"/api/record/{NUMBER}", json_reply(record(server, published())))
    assert ask().id == NUMBER
    assert ask.said == []


@pytest.mark.parametrize("reply", [json_reply(MOVED, 301), redirect("/api/records/77", 301)])
def test_merged_record(server, ask, reply):
    server.add(API, reply)
    server.add("/api/records/77", json_reply(record(server, published(), "77")))
    assert ask().id == "77"
    assert "record 77" in ask.said[0]


def test_records_that_are_merged_in_a_circle(server, ask):
    server.add(API, json_reply(MOVED | {"location": API}, 301))
    with pytest.raises(SourceUnavailableError) as caught:
        ask()
    assert caught.value.got == "it was merged more than 5 times"


@pytest.mark.parametrize("location", [..., None, 3, "", "file:///etc/passwd", "http://["])
def test_merged_without_a_usable_place(server, ask, location):
    content = {name: value for name, value in (MOVED | {"location": location}).items() if value is not ...}
    server.add(API, json_reply(content, 301))
    with pytest.raises(SourceUnavailableError, match=f"record {NUMBER} of Zenodo is not available"):
        ask()
    assert len(server.requests) == 1


def test_absent_record(server, ask):
    with pytest.raises(SourceUnavailableError, match=f"record {NUMBER} of Zenodo is not available") as caught:
        ask()
    assert caught.value.got == "there is none of this number (404: The requested URL was not found.)"
    assert "--record" in caught.value.hint
    assert paths(server) == [API, LATEST]


def test_absent_record_told_by_a_web_page(server, ask):
    server.add(API, page(404))
    server.add(LATEST, page(404))
    with pytest.raises(SourceUnavailableError) as caught:
        ask()
    assert caught.value.got == "there is none of this number (404)"


def test_deleted_record(server, ask):
    server.add(API, json_reply(GONE, 410))
    with pytest.raises(SourceUnavailableError) as caught:
        ask()
    assert caught.value.got == "it was deleted (410: The record has been deleted.)"
    assert paths(server) == [API]


def test_restricted_record(server, ask):
    server.add(API, json_reply(record(server, {})))
    with pytest.raises(SourceUnavailableError) as caught:
        ask()
    assert caught.value.got == "it lists no files: its access is restricted"


def test_another_record(server, ask):
    server.add(API, json_reply(record(server, published(), "5", concept="4")))
    with pytest.raises(SourceError, match="another record") as caught:
        ask()
    assert (caught.value.expected, caught.value.got) == (f"record {NUMBER}", "record 5 of 4")


@pytest.mark.parametrize(
    "reply", [redirect("/elsewhere"), json_reply(MOVED | {"location": "/elsewhere"}, 301)]
)
def test_another_record_behind_an_address_without_a_number(server, ask, reply):
    server.add(API, reply)
    content = record(server, published(), "5")
    del content["conceptrecid"]
    server.add("/elsewhere", json_reply(content))
    with pytest.raises(SourceError, match="another record") as caught:
        ask()
    assert caught.value.got == "record 5"


def test_message_of_a_server_cannot_steer_the_terminal(server, ask):
    server.add(API, json_reply(GONE | {"message": "gone\x1b[2J\n\u202eaway"}, 410))
    with pytest.raises(SourceUnavailableError) as caught:
        ask()
    assert caught.value.got == "it was deleted (410: gone?[2J ?away)"


def test_forbidden_is_not_asked_again(server, ask):
    server.add(API, page(403))
    with pytest.raises(SourceUnavailableError) as caught:
        ask()
    assert caught.value.got == "403 Forbidden, a web page"
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [429, 503, 504])
def test_busy_server_is_asked_again(server, ask, status):
    server.add(API, page(status, headers={"Retry-After": "7"}), json_reply(record(server, published())))
    assert ask().id == NUMBER
    assert len(server.requests) == 2
    assert len(ask.said) == 1
    assert "trying again in 7 s" in ask.said[0]


def test_busy_server_is_given_up(server, ask):
    server.add(API, page(503))
    with pytest.raises(SourceUnavailableError) as caught:
        ask()
    assert "503 Service Unavailable" in caught.value.got
    assert len(server.requests) == backoff.ATTEMPTS


@pytest.mark.parametrize("ending", ["close", "reset"])
def test_reply_that_ends_early_is_asked_for_again(server, ask, ending):
    whole = json_reply(record(server, published()))
    server.add(API, Reply(whole.body, headers=whole.headers, cut=100, ending=ending), whole)
    assert ask().id == NUMBER
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (page(), "a web page came instead of the record"),
        (Reply(b"<!DOCTYPE html><html>", headers={"Content-Type": "application/json"}), "a web page came"),
        (Reply(b"not JSON"), "the reply is not JSON"),
        (Reply(b"[" * 100_000), "the reply is not JSON"),
        (Reply(b"\xff\xfe\x00"), "the reply is not JSON"),
        (Reply(b""), "the reply is not JSON"),
    ],
)
def test_reply_that_is_no_json(server, ask, reply, reason):
    server.add(API, reply)
    with pytest.raises(SourceUnavailableError) as caught:
        ask()
    assert caught.value.got.startswith(reason)
    assert len(server.requests) == 1


def test_reply_without_end(server, ask, monkeypatch):
    monkeypatch.setattr(lookup, "_LONGEST_REPLY", 1000)
    server.add(API, Reply(b" " * 5000, chunked=True))
    with pytest.raises(SourceUnavailableError) as caught:
        ask()
    assert caught.value.got == "the reply has more than 1000 bytes"


def test_nobody_listens():
    with pytest.raises(SourceUnavailableError, match="not available") as caught:
        look_up(NUMBER, "http://127.0.0.1:9", say=lambda text: None)
    assert "refused" in caught.value.got


def test_offline_opens_no_socket(ask, monkeypatch):
    def refuse(*arguments, **options):
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    with pytest.raises(SourceUnavailableError, match="no connection is to be made"):
        ask(offline=True)
    monkeypatch.setenv("STIRDATA_OFFLINE", "1")
    with pytest.raises(SourceUnavailableError, match="no connection is to be made"):
        ask()


@pytest.mark.parametrize("text", ["6578038", " 6578038 ", "06578038", "https://zenodo.org/record/6578038"])
def test_numbers_of_records(text):
    assert record_number(text) == NUMBER


def test_page_of_another_server_is_no_record_of_this_one():
    page = "https://sandbox.zenodo.org/records/5"
    with pytest.raises(ParameterError, match="on another server") as caught:
        record_number(page)
    assert (caught.value.expected, caught.value.hint) == ("zenodo.org", "name its server by --base-url")
    assert record_number(page, "https://sandbox.zenodo.org") == "5"
    assert record_number("https://zenodo.org/records/5", "http://127.0.0.1:1") == "5"


@pytest.mark.parametrize(
    "text", ["", "x", "-1", "1.5", "6578038/files", "9" * 19, "https://zenodo.org/", "../1"]
)
def test_what_is_no_number(text):
    with pytest.raises(ParameterError, match="names no record"):
        record_number(text)


def test_site_is_argument_before_variable_before_zenodo(monkeypatch):
    assert site_of() == "https://zenodo.org"
    monkeypatch.setenv("STIRDATA_ZENODO_URL", "http://127.0.0.1:1/z/")
    assert site_of() == "http://127.0.0.1:1/z"
    assert site_of("https://sandbox.zenodo.org") == "https://sandbox.zenodo.org"


def test_empty_site_is_not_the_default_one():
    with pytest.raises(ParameterError, match="no address"):
        site_of("")


def test_site_with_a_password_is_refused_without_showing_it():
    with pytest.raises(ParameterError, match="would get into lock files") as caught:
        site_of("https://me:secret@host/")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "address",
    [
        "zenodo.org",
        " ",
        "ftp://zenodo.org",
        "https://",
        "https://z?x",
        "https://z#x",
        "http://[",
        "http://a b",
    ],
)
def test_what_is_no_site(address, monkeypatch):
    with pytest.raises(ParameterError, match="no address") as caught:
        site_of(address)
    assert caught.value.where == "base_url"
    monkeypatch.setenv("STIRDATA_ZENODO_URL", address)
    with pytest.raises(ParameterError) as caught:
        site_of()
    assert caught.value.where == "STIRDATA_ZENODO_URL"
