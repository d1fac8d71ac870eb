"""What a file's first bytes say of it, whatever its name."""

from __future__ import annotations

import struct

import pytest
from PIL import features

from manyheads.data import image_kinds
from manyheads.data.image_kinds import image_kind, obstacle
from tests.strategies import distinct_image, encoded


@pytest.mark.parametrize(
    ("format", "kind"),
    [
        ("JPEG", "JPEG"),
        ("MPO", "JPEG"),
        ("PNG", "PNG"),
        ("WEBP", "WebP"),
        ("BMP", "BMP"),
        ("GIF", "GIF"),
        ("TIFF", "TIFF"),
        ("PPM", "PNM"),
        ("JPEG2000", "JPEG 2000"),
    ],
)
def test_what_pillow_writes_is_known(format: str, kind: str) -> None:
    assert image_kind(encoded(distinct_image("x"), format)[: image_kinds.FIRST_BYTES]) == kind


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow has no AVIF")
def test_avif_is_known() -> None:
    assert image_kind(encoded(distinct_image("x", 32), "AVIF")) == "AVIF"
    assert obstacle("AVIF") is None


def boxed(major: bytes, *compatible: bytes) -> bytes:
    body = major + b"\0\0\0\0" + b"".join(compatible)
    return (8 + len(body)).to_bytes(4, "big") + b"ftyp" + body + b"\0\0\0\x08mdat"


def tiff(order: str, *fields: tuple[int, int, int]) -> bytes:
    start = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}IH", 8, len(fields))
    rows = [
        struct.pack(f"{order}HHI", tag, form, 1)
        + (struct.pack(f"{order}HH", value, 0) if form == 3 else struct.pack(f"{order}I", value))
        for tag, form, value in fields
    ]
    return start + b"".join(rows) + b"\0\0\0\0"


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (boxed(b"heic", b"mif1", b"heic"), "HEIC"),
        (boxed(b"mif1", b"mif1", b"heic"), "HEIC"),
        (boxed(b"msf1", b"msf1", b"hevc"), "HEIC"),
        (boxed(b"mif1", b"mif1", b"avif", b"miaf"), "AVIF"),
        (boxed(b"crx ", b"crx ", b"isom"), "RAW"),
        (boxed(b"qt  ", b"qt  "), None),
        (boxed(b"isom", b"mp42"), None),
        (tiff("<", (254, 4, 0), (256, 4, 8)), "TIFF"),
        (tiff("<", (254, 4, 1), (256, 4, 8)), "RAW"),
        (tiff(">", (254, 4, 0), (256, 3, 1), (50706, 1, 1)), "RAW"),
        (tiff(">", (256, 3, 8)), "TIFF"),
        (b"II*\0\x10\0\0\0CR\x02\0" + b"\0" * 40, "RAW"),
        (b"II*\0", "TIFF"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
        (b"8BPS\0\x01", "PSD"),
        (b'<?xml version="1.0"?>\n<!-- made by a tool -->\n<svg xmlns="x">', "SVG"),
        (b"\xef\xbb\xbf<svg width='3'>", "SVG"),
        (b"<?xml version='1.0'?><annotation><object/></annotation>", None),
        (b"P3 is the name of this class", None),
        (b"BM is a text that begins like a bitmap", None),
        (b"", None),
        (b"\xff\xd8", None),
        (b"a,b\n1,2\n", None),
    ],
)
def test_other_kinds(data: bytes, kind: str | None) -> None:
    assert image_kind(data) == kind


def test_every_prefix_of_every_kind_is_looked_at_without_an_error() -> None:
    wholes = [encoded(distinct_image("x"), f) for f in ("TIFF", "WEBP", "BMP", "PNG")]
    for data in [*wholes, boxed(b"mif1", b"avif"), tiff("<", (254, 4, 1))]:
        for length in range(min(len(data), 200)):
            image_kind(data[:length])


def test_what_stands_in_the_way_of_a_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [obstacle(kind) for kind in image_kinds.PLAIN_KINDS] == [None] * 6
    monkeypatch.setattr(image_kinds, "_reads_heic", lambda: False)
    assert obstacle("HEIC") == "pip install 'manyheads[heif]'"
    monkeypatch.setattr(image_kinds, "_reads_heic", lambda: True)
    assert obstacle("HEIC") is None
    monkeypatch.setattr(image_kinds, "_reads_avif", lambda: False)
    assert obstacle("AVIF") == "pip install --upgrade pillow"
    assert obstacle("RAW") == obstacle("SVG") == "save them as JPEG, PNG or TIFF"
