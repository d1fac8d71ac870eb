"""Which texts are addresses, what their parts are, and that no secret in one is shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyheads.core import addresses
from manyheads.errors import DataError


@pytest.mark.parametrize(
    "text", ["s3://b", "S3://b/a", "https://a.org/1.jpg", "hf://datasets/a/b", "memory://x"]
)
def test_addresses(text: str) -> None:
    assert addresses.is_address(text)


@pytest.mark.parametrize(
    "text", ["", "photos", "/a/b", "C:\\a", "c://a", "s3:/b", "file:///a", "://a", "a b://c", "a:b"]
)
def test_other_texts(text: str) -> None:
    assert not addresses.is_address(text)


def test_an_address_without_its_slash_is_known() -> None:
    assert addresses.was_address("s3:/b")
    assert not any(map(addresses.was_address, ("s3://b", "C:/a", "a:b", "/s3:/b")))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://ann:secret@a.org/1.jpg", "https://…@a.org/1.jpg"),
        ("https://secret@a.org/1.jpg", "https://…@a.org/1.jpg"),
        ("s3://key:secret@b/1.jpg", "s3://…@b/1.jpg"),
        ("https://a.org/1.jpg?X-Amz-Signature=secret", "https://a.org/1.jpg?…"),
        ("https://a.org/1.jpg?size=2&access_token=secret", "https://a.org/1.jpg?…"),
        ("https://a.org/1.jpg?sv=2&SIG=secret", "https://a.org/1.jpg?…"),
        ("https://a.org/1.jpg?api_key=secret", "https://a.org/1.jpg?…"),
        ("https://[secret", "https://…"),
    ],
)
def test_a_secret_is_refused_and_not_shown(text: str, shown: str) -> None:
    assert addresses.without_secrets(text) == shown
    with pytest.raises(DataError, match="without a secret in row 2") as caught:
        addresses.checked_address(text, "in row 2")
    assert "secret@" not in str(caught.value)
    assert "=secret" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    ["https://a.org/1.jpg?size=2&id=7", "abfs://photos@account/1.jpg", "sftp://ann@host/1.jpg",
     "s3://b/key=7/token/1.jpg"],
)  # fmt: skip
def test_what_is_no_secret_stays(text: str) -> None:
    assert addresses.checked_address(f" {text}\n") == text


def test_one_address_at_a_time() -> None:
    with pytest.raises(DataError, match="several in one"):
        addresses.checked_address("zip://a.jpg::s3://b/c.zip")


def test_names() -> None:
    assert addresses.plain_name("s3://b/a/c.csv") == "c.csv"
    assert addresses.plain_name("s3://b/what?.csv") == "what?.csv"
    assert addresses.plain_name("https://a.org/c.csv?d=1/2#e") == "c.csv"
    assert addresses.plain_name("s3://b") == "b"


@given(st.text(st.characters(blacklist_categories=["Cs"])))
def test_parts_make_the_address_again(rest: str) -> None:
    assert "/".join(addresses.split_address(f"s3://{rest}")) == f"s3://{rest}"
