"""Looking up a record of Zenodo, whatever the server makes of the question."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from stirdata import progress
from stirdata.errors import ParameterError, SourceError, SourceUnavailableError
from stirdata.transfer import http_replies
from stirdata.transfer.backoff import PassingError, RefusalError, persist
from stirdata.transfer.fetch import OFFLINE_VARIABLE, is_offline
from stirdata.transfer.remote import checked_address
from stirdata.transfer.zenodo_record import Record, parse

if TYPE_CHECKING:
    import requests

SITE = "https://zenodo.org"
SITE_VARIABLE = "STIRDATA_ZENODO_URL"

_ANSWERS = frozenset({200, 301, 404, 410})  # all of them come with something to read
_LONGEST_REPLY = 1 << 24  # bytes; a record of a thousand files has less than one million
_MOST_MERGERS = 5
_RECORD = re.compile(r"(?:(https?://\S+)/records?/|(?:https?://doi\.org/)?10\.\d+/zenodo\.)?([0-9]{1,18})/?")


class _Reply(NamedTuple):
    status: int
    address: str
    content: Any


def record_number(text: str, site: str | None = None) -> str:
    """Return the number of a record from its number, DOI or web page.

    Args:
        text: What names the record.
        site: From :func:`site_of`; None is that without an argument.

    Raises:
        ParameterError: It is none of these, or a web page of another server, which has other numbers.

    Examples:
        >>> record_number("https://zenodo.org/records/6578038"), record_number("10.5281/zenodo.6578038")
        ('6578038', '6578038')
    """
    found = _RECORD.fullmatch(text.strip())
    if found is None:
        raise ParameterError(
            "this names no record", where="record", expected="a number such as 6578038", got=repr(text)
        )
    hosts = {urlsplit(address).netloc for address in (site or site_of(), SITE)}
    if found[1] and urlsplit(found[1]).netloc not in hosts:
        raise ParameterError(
            "this record is on another server than the one that is asked",
            where="record",
            expected=" or ".join(sorted(hosts)),
            got=repr(text),
            hint="name its server by --base-url",
        )
    return str(int(found[2]))


def site_of(base_url: str | None = None) -> str:
    """Return the address that records are below: the argument, ``STIRDATA_ZENODO_URL``, or Zenodo's own.

    Raises:
        ParameterError: It is no http or https address, or has a password in it.

    Examples:
        >>> site_of("https://sandbox.zenodo.org/")
        'https://sandbox.zenodo.org'
    """
    default = os.environ.get(SITE_VARIABLE) or SITE
    site, where = (default, SITE_VARIABLE) if base_url is None else (base_url, "base_url")
    if "@" in urlsplit(checked_address(site, where)).netloc:
        raise ParameterError(
            "an address with a name or a password would get into lock files and messages",
            where=where,
            expected="https://HOST/…, without anything before the host",
        )
    return site.rstrip("/")


def look_up(
    number: str,
    site: str,
    *,
    offline: bool | None = None,
    say: Callable[[str], None] | None = None,
) -> Record:
    """Ask for a record.

    If the number stands for all versions of a record, the latest one is returned; if the record was
    merged into another one, that one.

    Args:
        number: From :func:`record_number`.
        site: From :func:`site_of`.
        offline: Make no connection; None takes it from the variable ``STIRDATA_OFFLINE``.
        say: Told in one line what is waited for, and that a record was merged.

    Raises:
        SourceUnavailableError: There is no such record, it is deleted or restricted, the server does not
            answer, or no connection is to be made.
        SourceError: The reply is no record, another one, or lists dangerous files.
    """
    address = f"{site}/api/records/{number}"
    if is_offline(offline):
        raise SourceUnavailableError(
            f"what Zenodo says of record {number} is not known here, and no connection is to be made",
            where=address,
            hint=f"allow connections: without --offline, and with {OFFLINE_VARIABLE} unset",
        )
    tell = say or progress.say
    try:
        reply, allowed = _asked(number, address, lambda text: tell(f"record {number}: {text}"))
    except RefusalError as error:
        raise _unavailable(number, address, error.what) from error
    record = parse(reply.content, reply.address, site)
    if not {record.id, record.concept} & allowed:
        raise SourceError(
            "the reply is another record than the one asked for",
            where=reply.address,
            expected=f"record {number}",
            got=f"record {record.id}" + (f" of {record.concept}" if record.concept else ""),
            hint="name the record that you want by --record",
        )
    if not record.files:
        raise _unavailable(number, address, "it lists no files: its access is restricted")
    return record


def _asked(number: str, address: str, say: Callable[[str], None]) -> tuple[_Reply, set[str]]:
    """Return the reply that is a record, and the numbers that it may have."""
    with http_replies.new_session() as session:
        reply, allowed = _follow(session, address, {number}, say)
        if reply.status == 404:  # the number may be that of all versions, which this address need not know
            reply, allowed = _follow(session, f"{address}/versions/latest", {number}, say)
    if reply.status == 410:
        raise RefusalError(f"it was deleted ({_message(reply)})")
    if reply.status != 200:
        raise RefusalError(f"there is none of this number ({_message(reply)})")
    return reply, allowed


def _follow(
    session: requests.Session, address: str, allowed: set[str], say: Callable[[str], None]
) -> tuple[_Reply, set[str]]:
    """Ask, and follow what says where a record was merged into; redirects were followed already."""
    for _ in range(_MOST_MERGERS + 1):
        reply = persist(partial(_request, session, address), say=say)
        if _numbers_in(reply.address) - _numbers_in(address):
            allowed = allowed | _numbers_in(reply.address)
            say(f"it leads to record {''.join(_numbers_in(reply.address))}")
        if reply.status != 301:
            return reply, allowed
        location = reply.content.get("location") if isinstance(reply.content, dict) else None
        if not isinstance(location, str) or not location:
            raise RefusalError(f"it was moved, without saying where ({_message(reply)})")
        address = http_replies.next_address(reply.address, location)
        allowed = allowed | _numbers_in(address)
        say(f"it was merged into record {''.join(_numbers_in(address))}")
    raise RefusalError(f"it was merged more than {_MOST_MERGERS} times")


def _request(session: requests.Session, address: str) -> _Reply:
    headers = {"Accept": "application/json"}
    with http_replies.answer(session, address, headers, accepted=_ANSWERS) as response:
        body = bytearray()
        for piece in http_replies.received(response):
            body += piece
            if len(body) > _LONGEST_REPLY:
                raise RefusalError(f"the reply has more than {_LONGEST_REPLY} bytes")
        total = http_replies.extent(response).total
        if response.status_code == 200:
            _check_body(response, body, total)
        return _Reply(response.status_code, response.url or address, _json(body, response.status_code))


def _check_body(response: requests.Response, body: bytearray, total: int | None) -> None:
    if total is not None and len(body) < total:
        raise PassingError("the connection ended early")
    if http_replies.sends_html(response) or http_replies.begins_like_html(bytes(body[:512])):
        raise RefusalError("a web page came instead of the record")


def _json(body: bytearray, status: int) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        if status == 200:
            raise RefusalError("the reply is not JSON") from error
        return None


def _numbers_in(address: str) -> set[str]:
    """Return the number of the record that an address leads to, if it says one."""
    found = re.search(r"/records?/([0-9]{1,18})(?:/|$)", urlsplit(address).path)
    return {found[1]} if found else set()


def _message(reply: _Reply) -> str:
    message = reply.content.get("message") if isinstance(reply.content, dict) else None
    text = http_replies.plain(message) if isinstance(message, str) else ""
    return f"{reply.status}: {text}" if text else str(reply.status)


def _unavailable(number: str, address: str, reason: str) -> SourceUnavailableError:
    return SourceUnavailableError(
        f"record {number} of Zenodo is not available",
        where=address,
        got=reason,
        hint="try again later, or name another record by --record: its number is in the address of its "
        "page, …/records/NUMBER",
    )
