"""Addresses such as s3://bucket/photos, as text: which texts are some, their parts and secrets."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, urlsplit

from manyheads.errors import DataError

_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")
_COLLAPSED = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/[^/]")
_WEB = ("http", "https")
# A path of this machine in another form; `cell_paths` takes it for one.
_LOCAL = ("file", "local")
# Parameters by which a web address gives access to whoever has it, in small letters.
_SECRETS = re.compile(
    r"(x-(amz|goog|oss|cos)-(signature|credential|security-token)|(q-)?sign(ature)?|sig|"
    r"awsaccesskeyid|ossaccesskeyid|googleaccessid|.*token.*|.*secret.*|.*passw.*|pwd|"
    r"api-?_?key|key|auth(orization)?|credential.*)"
)


def is_address(text: str) -> bool:
    """Whether a text is the address of something that lies elsewhere: a scheme, then `://`."""
    # Called for each of a million paths: this alone decides for nearly all.
    return "://" in text and scheme_of(text) not in ("", *_LOCAL)


def was_address(text: str) -> bool:
    """Whether a path is an address of which `pathlib` has taken a slash away, as s3:/bucket."""
    return _COLLAPSED.match(text) is not None


def scheme_of(text: str) -> str:
    """The scheme of an address in small letters, such as `s3`; empty for a text that is none."""
    match = _ADDRESS.match(text)
    return match[1].lower() if match else ""


def is_web(address: str) -> bool:
    """Whether an address is one of the web, whose parts are encoded and may have a query."""
    return scheme_of(address) in _WEB


def checked_address(text: str, where: str = "") -> str:
    """The address, without white space at its ends, if it holds no password, token or signature.

    `where` says in an error where the text stands. Raises `DataError`, which does not show them.
    """
    address = text.strip()
    place = f" {where}" if where else ""
    if "::" in address:
        raise DataError(
            f"one address{place}", f"several in one, {without_secrets(address)!r}",
            "unpack what is in an archive, and give the address of the folder",
        )  # fmt: skip
    if without_secrets(address) != address:
        raise DataError(
            f"an address without a secret{place}",
            f"a password, token or signature in {without_secrets(address)!r}",
            "take it out, and set it in the environment or in a profile of the provider",
        )
    return address


def without_secrets(address: str) -> str:
    """The address to be shown: a password and parameters that may be secret are cut out of it."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return f"{scheme_of(address)}://…"
    user, at, _ = parts.netloc.rpartition("@")
    # Of other schemes a name alone says who asks, or is a container's: abfs://photos@account.
    if at and (":" in user or parts.scheme.lower() in _WEB):
        address = address.replace(f"{user}@", "…@", 1)
    query = parts.query
    names = [name.lower() for name, _ in parse_qsl(query, keep_blank_values=True)]
    if any(_SECRETS.fullmatch(name) for name in names):
        address = address.replace(f"?{query}", "?…", 1)
    return address


def split_address(address: str) -> tuple[str, str]:
    """The folder and the name of which `address` is made: their sum, with a slash between them."""
    folder, _, name = address.rpartition("/")
    return folder, name


def plain_name(address: str) -> str:
    """The last part of an address, in a web address without its query; empty for a host alone."""
    path = address[len(scheme_of(address)) + 3 :].rstrip("/")
    if is_web(address):
        path = re.split(r"[?#]", path)[0].rstrip("/")
    return path.rpartition("/")[2]
