"""Where a transfer leads: redirects, certificates, proxies, nobody there, and no connection at all."""

import shutil
import socket
import ssl
import subprocess
import time

import pytest
from fetched import CONTENT, HASHES, LIMIT, OTHER, SIZE, refused
from server import Reply, Server, redirect

from stirdata.errors import SourceError, SourceUnavailableError
from stirdata.transfer import http_replies
from stirdata.transfer.backoff import RefusalError
from stirdata.transfer.fetch import Fetched, fetch, is_offline


def reason_of(url, target, **options):
    with pytest.raises(SourceUnavailableError, match="could not be downloaded") as caught:
        fetch([url], target, hashes=HASHES, limit=LIMIT, quiet=True, **options)
    return caught.value.got


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("location", ["absolute", "/records/a file.gz", "//host/records/a%20file.gz"])
def test_redirect_is_followed(get, server, target, status, location):
    url = server.add("/records/a file.gz", Reply(CONTENT))
    there = {"absolute": url, "//host/records/a%20file.gz": url.removeprefix("http:")}.get(location, location)
    result = get([redirect(there, status)])
    assert [request.path for request in server.requests] == ["/0", "/records/a file.gz"]
    assert result.url == server.url("/0")
    assert target.read_bytes() == CONTENT


def test_address_outside_ascii(get, server, target):
    server.add("/é 表", Reply(CONTENT))
    get([redirect("/é 表".encode().decode("latin-1"))])
    assert server.requests[-1].path == "/é 表"
    assert target.read_bytes() == CONTENT


def test_range_is_asked_for_behind_a_redirect_too(get, server, target, partial):
    partial.write_bytes(CONTENT[:1000])
    server.add("/there", Reply(CONTENT))
    get([redirect("/there")])
    assert [request.range for request in server.requests] == ["bytes=1000-"] * 2
    assert target.read_bytes() == CONTENT


def test_ten_redirects_are_followed_and_not_one_more(get, server):
    for number in range(20):
        server.add(f"/r{number}", redirect(f"/r{number + 1}"))
    server.add("/r10", Reply(CONTENT))
    get([redirect("/r1")])
    server.add("/r10", redirect("/r11"))
    (reason,) = refused(get, [redirect("/r1")], hashes={"md5": "0"})
    assert reason == "redirected more than 10 times"


def test_redirects_in_a_circle(get, server, target, content_of):
    assert refused(get, [redirect("/0")]) == ["redirected more than 10 times"]
    assert len(server.requests) == 11
    assert content_of(target.parent) == {}


@pytest.mark.parametrize(
    "location", ["file:///etc/passwd", "ftp://127.0.0.1/file", "data:,x", "javascript:x"]
)
def test_redirect_to_another_scheme(get, location):
    (reason,) = refused(get, [redirect(location)])
    assert reason == f"neither an http nor an https address: {location}"


def test_redirect_to_nonsense(get):
    (reason,) = refused(get, [redirect("http://[nonsense/")])
    assert reason == "redirected to 'http://[nonsense/', which is no address"


def test_body_of_a_redirect_is_not_read(get, server, target):
    server.add("/there", Reply(CONTENT))
    get([Reply(b"x" * 50_000_000, 302, {"Location": "/there"})])
    assert target.read_bytes() == CONTENT
    assert server.requests[0].served < 40_000_000


@pytest.mark.parametrize("location", ["http://host/b", "HTTP://host/b"])
def test_encryption_is_not_given_up(location):
    with pytest.raises(RefusalError, match="redirected from https to http, which is not followed"):
        http_replies.next_address("https://host/a", location)


@pytest.mark.parametrize(
    ("url", "location", "expected"),
    [
        ("https://host/a/b", "c", "https://host/a/c"),
        ("https://host/a", "//other/c", "https://other/c"),
        ("http://host/a", "https://host/a", "https://host/a"),
        ("http://host/a", "http://other/a", "http://other/a"),
    ],
)
def test_other_redirects_are_fine(url, location, expected):
    assert http_replies.next_address(url, location) == expected


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """Return the files of a key and of a certificate for 127.0.0.1 that it has signed itself."""
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl to make a certificate")
    folder = tmp_path_factory.mktemp("certificate")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 -addext"
    files = ["-keyout", str(key), "-out", str(certificate)]
    names = ["subjectAltName=IP:127.0.0.1"]
    subprocess.run([*command.split(), *names, *files], check=True, capture_output=True, timeout=60)
    return key, certificate


@pytest.fixture
def encrypted(certificate):
    key, chain = certificate
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    with Server(tls=context) as running:
        yield running


def test_certificate_that_nobody_vouches_for_is_final(encrypted, target, waits, content_of):
    url = encrypted.add("/f", Reply(CONTENT))
    reason = reason_of(url, target)
    assert reason.startswith(f"{url}: its certificate is not valid: ")
    assert "self" in reason
    assert encrypted.requests == []
    assert waits == []
    assert content_of(target.parent) == {}


def test_encrypted_transfer(encrypted, server, target, certificate, monkeypatch, content_of):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate[1]))
    server.add("/f", Reply(CONTENT))
    encrypted.add("/away", redirect(server.url("/f")))
    reason = reason_of(encrypted.url("/away"), target)
    assert "redirected from https to http, which is not followed" in reason
    assert server.requests == []
    url = encrypted.add("/f", Reply(CONTENT, cut=1000), Reply(CONTENT))
    fetch([url], target, hashes=HASHES, limit=LIMIT, quiet=True)
    assert content_of(target.parent) == {"file.gz": CONTENT}


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("file:///etc/passwd", "neither an http nor an https address"),
        ("ftp://127.0.0.1/file", "neither an http nor an https address"),
        ("no address", "neither an http nor an https address"),
        ("", "neither an http nor an https address"),
        ("http://", "it cannot be asked: "),
        ("http://[nonsense/", "it cannot be asked: Invalid IPv6 URL"),
        ("http://127.0.0.1:many/", "it cannot be asked: "),
    ],
)
def test_what_is_no_address(target, url, reason, waits, content_of):
    assert reason in reason_of(url, target)
    assert waits == []
    assert content_of(target.parent) == {}


def test_nobody_listens(target, waits, content_of):
    url = "http://127.0.0.1:9/file"
    assert reason_of(url, target) == f"{url}: [Errno 111] Connection refused (2 attempts)"
    assert waits == [1]
    assert content_of(target.parent) == {}


def test_name_that_does_not_exist(target, waits, monkeypatch):
    def unknown(*arguments, **options):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert "Name or service not known" in reason_of("http://no.such.invalid/file", target)
    assert waits == [1]


def test_new_folders_are_not_left_behind(tmp_path, content_of):
    reason_of("http://127.0.0.1:9/file", tmp_path / "a" / "b" / "file")
    assert content_of(tmp_path) == {}


def test_silent_server_is_given_up(target, waits, monkeypatch, content_of):
    monkeypatch.setattr(http_replies, "_TIMEOUT_SECONDS", (0.2, 0.2))
    with socket.create_server(("127.0.0.1", 0)) as deaf:  # connections are made, nobody answers
        reason = reason_of(f"http://127.0.0.1:{deaf.getsockname()[1]}/file", target)
    assert "Read timed out" in reason
    assert reason.endswith("(2 attempts)")
    assert content_of(target.parent) == {}


def test_password_is_not_shown(server, target):
    url = server.add("/f", Reply(b"", 404)).replace("http://", "http://user:secret@")
    assert reason_of(url, target) == f"{server.url('/f')}: 404 Not Found"
    assert "Authorization" in server.requests[0].headers


def test_password_in_the_address_is_used_and_forgotten(server, target):
    url = server.add("/f", Reply(CONTENT)).replace("http://", "http://a%40b:secret@")
    result = fetch([url], target, hashes=HASHES, limit=LIMIT, quiet=True)
    assert server.requests[0].headers["Authorization"] == "Basic YUBiOnNlY3JldA=="
    assert result.url == server.url("/f")


def test_passwords_of_the_user_are_not_sent_unasked(server, target, tmp_path, monkeypatch):
    (tmp_path / "netrc").write_text("default login me password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    server.add("/there", Reply(CONTENT))
    fetch([server.add("/f", redirect("/there"))], target, hashes=HASHES, limit=LIMIT, quiet=True)
    assert len(server.requests) == 2
    assert not any("Authorization" in request.headers for request in server.requests)


def test_what_a_server_says_cannot_steer_the_terminal(get):
    (reason,) = refused(get, [redirect("data:\x1b]0;evil\x07")])
    assert reason == "neither an http nor an https address: data:?]0;evil?"


def test_proxy_of_the_environment_is_used(server, target, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, server.url(""))
    server.add("/file", Reply(CONTENT))
    fetch(["http://somewhere.invalid/file"], target, hashes=HASHES, limit=LIMIT, quiet=True)
    assert server.requests[0].headers["Host"] == "somewhere.invalid"
    assert target.read_bytes() == CONTENT


@pytest.fixture
def no_sockets(monkeypatch):
    """Let every use of the network fail."""

    def fail(*arguments, **options):
        raise AssertionError("a connection was tried")

    for name in ("socket", "create_connection", "getaddrinfo", "gethostbyname"):
        monkeypatch.setattr(socket, name, fail)


@pytest.fixture(params=["argument", "variable"])
def offline(request, monkeypatch):
    """Return the options of a fetch without connections."""
    if request.param == "argument":
        return {"offline": True}
    monkeypatch.setenv("STIRDATA_OFFLINE", "1")
    return {}


def test_offline_uses_what_is_there(target, offline, no_sockets, content_of):
    target.write_bytes(CONTENT)
    options = {"size": SIZE, "hashes": HASHES, "limit": LIMIT, "quiet": True, **offline}
    expected = Fetched(target, SIZE, HASHES["sha256"], already_there=True, url=None)
    assert fetch(["http://127.0.0.1:9/f"], target, **options) == expected


def fail_check(path):
    raise SourceError("it is another file", where=path)


@pytest.mark.parametrize(
    ("there", "known", "reason"),
    [
        (None, {"hashes": HASHES}, "no such file"),
        (OTHER, {"hashes": HASHES}, "it has the md5"),
        (CONTENT[:9], {"size": SIZE}, f"it has 9 bytes instead of {SIZE}"),
        (CONTENT, {"check": fail_check}, "it is another file"),
    ],
    ids=["absent", "wrong hash", "wrong size", "check"],
)
def test_offline_makes_no_connection(
    tmp_path, target, offline, no_sockets, there, known, reason, waits, content_of
):
    if there is not None:
        target.write_bytes(there)
    before = content_of(tmp_path)
    with pytest.raises(SourceUnavailableError, match=r"file\.gz is not there") as caught:
        fetch(["http://127.0.0.1:9/f"], target, limit=LIMIT, **known, **offline)
    assert reason in caught.value.got
    assert caught.value.where == target
    assert caught.value.hint == "allow connections: without --offline, and with STIRDATA_OFFLINE unset"
    assert waits == []
    assert content_of(tmp_path) == before


def test_offline_makes_no_folder(tmp_path, no_sockets, content_of):
    with pytest.raises(SourceUnavailableError):
        fetch(["http://127.0.0.1:9/f"], tmp_path / "a" / "f", limit=LIMIT, offline=True)
    assert content_of(tmp_path) == {}


def test_the_guard_against_sockets_works(target, no_sockets):
    with pytest.raises(AssertionError, match="a connection was tried"):
        fetch(["http://127.0.0.1:9/f"], target, limit=LIMIT, quiet=True)


@pytest.mark.parametrize(
    ("value", "expected"), [("1", True), ("yes", True), ("", False), ("0", False), ("Off", False)]
)
def test_variable_decides_unless_there_is_an_argument(monkeypatch, value, expected):
    assert is_offline() is False
    monkeypatch.setenv("STIRDATA_OFFLINE", value)
    assert is_offline() is expected
    assert is_offline(False) is False
    assert is_offline(True) is True


def test_time_zone_does_not_matter(monkeypatch):
    monkeypatch.setattr(http_replies, "_now", lambda: 784111777.0)
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    if hasattr(time, "tzset"):
        time.tzset()
    try:
        for date in ("Sun, 06 Nov 1994 08:49:47 GMT", "Sun, 06 Nov 1994 08:49:47 -0000"):
            assert http_replies.told_wait({"Retry-After": date}, 503) == 10
    finally:
        monkeypatch.undo()
        if hasattr(time, "tzset"):
            time.tzset()
