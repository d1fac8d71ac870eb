"""Bytes → an image as Pillow has it: known by its content, within a limit of memory.

Pillow refuses images by their pixels; what counts is the memory. So images are opened by Pillow's
own decoders without that check, what decoding takes is estimated from the header, and all threads
together stay within `image_memory.memory_limit`. A JPEG of more than `PLAIN_PIXELS` is decoded at
a half, a quarter or an eighth of its size; whatever has fewer pixels is decoded as it is.
"""

from __future__ import annotations

import io
import stat
import struct
import sys
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from manyheads.core.job import SILENT, Job
from manyheads.data.image_kinds import (
    FIRST_BYTES,
    NEEDED,
    PLAIN_KINDS,
    image_kind,
    is_web_page,
    obstacle,
)
from manyheads.data.image_memory import memory_for, memory_limit
from manyheads.data.remote_path import FilePath, RemoteError, RemotePath
from manyheads.data.repairs import jpeg_scan, lacks_end, mended, without_large_text
from manyheads.errors import ImageError, ImageLimitError, SettingError, WorldError

PLAIN_PIXELS = 89_478_485  # Pillow's own limit, which was manyheads' once
KINDS = "a JPEG, PNG, WebP, BMP, GIF, TIFF or AVIF image"

# Imported by name, because Pillow would load all of its fifty formats to find the rarer of these.
_FORMATS = tuple(
    str(plugin.format)
    for plugin in (
        JpegImagePlugin.JpegImageFile, PngImagePlugin.PngImageFile, WebPImagePlugin.WebPImageFile,
        BmpImagePlugin.BmpImageFile, GifImagePlugin.GifImageFile, TiffImagePlugin.TiffImageFile,
        AvifImagePlugin.AvifImageFile,
    )
)  # fmt: skip
_NARROW = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2}  # bytes of a pixel; others: 4
_COPIES = {"WEBP": 4, "GIF": 3, "AVIF": 3, "HEIF": 3}  # that a decoder holds of the image
_TO_RGB = 8  # bytes of a pixel for the image in RGB, and for that turned upright
_COEFFICIENTS = 6  # bytes of a pixel in a JPEG that has several scans
_REDUCED = (2, 4, 8)
_OPPOSITE = {"B": "L", "L": "B"}  # of two bytes, the first is the upper half, or the lower
_NATIVE = "L" if sys.byteorder == "little" else "B"
_GREY = "LA;16B"
_ORIENTATION, _PHOTOMETRIC, _PLANES, _BITS, _FORMAT = 0x0112, 0x0106, 0x011C, 0x0102, 0x0153


@dataclass(frozen=True)
class DecodedImage:
    """A decoded image, and what was special about its file.

    `size` is as stored, in pixels. Of images with more than 8 bits in each of several channels,
    Pillow keeps the upper half of 16: `packed` says so, and `lower` is the other half if it was
    asked for. `cut`: the file lacks its end, but no pixel. `oriented`: the decoder has already
    applied the EXIF orientation. `white_is_zero`: its values mean darkness. `unsigned`: they
    are of 32 bits, and Pillow has those above 2^31 as negative ones.
    """

    image: Image.Image
    size: tuple[int, int]
    cut: bool = False
    oriented: bool = False
    packed: bool = False
    lower: Image.Image | None = None
    white_is_zero: bool = False
    unsigned: bool = False

    @property
    def large(self) -> bool:
        """Whether it has more than `PLAIN_PIXELS`, as stored."""
        return self.size[0] * self.size[1] > PLAIN_PIXELS


@contextmanager
def decoded(
    source: FilePath | bytes,
    name: str,
    *,
    both_halves: bool = False,
    least_side: int | None = None,
) -> Iterator[DecodedImage]:
    """The decoded image; its share of the memory is held until the context is left.

    With a `least_side`, in pixels, a JPEG is reduced by 2, 4 or 8 while it is decoded, as far as
    its shorter side keeps so many. Whatever goes wrong, inside the context too, is an
    `ImageError` that names it.
    """
    with ExitStack() as held:
        try:
            data = read_bytes(source, name)
            if not data:
                raise refused(name, "an empty file")
            _silence_pillow()
            yield _Decoder(name, both_halves, least_side, held).decode(data)
        except (ImageError, SettingError):
            raise
        except MemoryError as error:
            raise ImageLimitError(
                f"memory to decode {name}", "too little memory", "make the image smaller"
            ) from error
        except Image.DecompressionBombError as error:
            raise refused(name, "more pixels than Pillow decodes in this format") from error
        # Decoders meet hostile bytes with a dozen kinds of exception, SyntaxError among them.
        except Exception as error:
            raise damaged(name, error) from error


def read_bytes(
    source: FilePath | bytes, name: str, *, fresh: bool = False, job: Job = SILENT
) -> bytes:
    """The bytes of an ordinary file, or of one at an address: a copy of them that was kept does
    unless they are to be `fresh`. Raises `ImageError` if it cannot be read, and `Interrupted` for
    one at an address once `job` is stopped."""
    if isinstance(source, bytes):
        return source
    if isinstance(source, RemotePath):
        return _fetched(source, name, fresh, job)
    try:
        about = source.stat()
        # A pipe would be waited for, and a device may have no end.
        if not stat.S_ISREG(about.st_mode) and not stat.S_ISDIR(about.st_mode):
            raise refused(name, "no ordinary file")
        if about.st_size > memory_limit():
            with memory_for(about.st_size, name, f"{about.st_size:,} bytes"):
                pass
        return source.read_bytes()
    except OSError as error:
        found = (error.strerror or str(error)).lower()
        raise ImageError(f"to read {name}", found, "check the file and its permissions") from error


def _fetched(source: RemotePath, name: str, fresh: bool, job: Job) -> bytes:
    # Whatever keeps it from being read now says nothing of the image.
    try:
        return source.read_bytes(fresh=fresh, job=job)
    except RemoteError as error:
        raise ImageLimitError(f"to read {name}", error.found, error.remedy) from error
    except WorldError as error:
        raise ImageLimitError(error.expected, error.found, error.remedy) from error


def refused(name: str, found: str) -> ImageError:
    """The error for what is no image."""
    return ImageError(f"{name} to be {KINDS}", found, "replace the file or remove it")


def damaged(name: str, error: Exception) -> ImageError:
    """The error for what is no whole image."""
    reason = " ".join(str(error).split())[:120] or type(error).__name__
    return refused(name, f"a damaged or truncated file ({reason})")


class _Decoder:
    """Decodes one file, and once more with another end if it lacks its own."""

    def __init__(
        self, name: str, both_halves: bool, least_side: int | None, held: ExitStack
    ) -> None:
        self._name, self._both, self._held, self._claimed = name, both_halves, held, False
        self._least_side = least_side

    def decode(self, data: bytes) -> DecodedImage:
        cut = lacks_end(data)
        try:
            # Most files without their last bytes decode as they are, and need no second attempt.
            found = self._attempt(data)
        except (ImageError, SettingError, MemoryError, Image.DecompressionBombError):
            raise
        except Exception as error:
            again = None
            if "MAX_TEXT" in str(error):
                again = self._attempt(without_large_text(data))
            elif cut:
                again = mended(data, self._attempt, lambda each: each.image)
            if again is None:
                raise
            found = again
        return replace(found, cut=cut)

    def _attempt(self, data: bytes) -> DecodedImage:
        image = identified(data)
        if image is None:
            raise _unknown(self._name, data)
        halves = 2 if self._both and _raw_mode(image) else 1
        scale = _scale(image, self._least_side)
        # Memory is claimed once: a second attempt decodes the same pixels after the first has
        # freed them, and waiting for more while holding some could block two threads for good.
        if not self._claimed:
            width, height = image.size
            what = f"{width:,} × {height:,} pixels"
            self._held.enter_context(
                memory_for(halves * _needed(image, data, scale), self._name, what)
            )
            self._claimed = True
        lower = _lower_half(image, data) if halves == 2 else None
        return _loaded(image, lower, scale)


def identified(data: bytes) -> ImageFile.ImageFile | None:
    """An image whose header is read and whose pixels are not; None for what is no image.

    Raises what Pillow's decoders raise for a damaged header.
    """
    for name in _FORMATS:
        factory, accept = Image.OPEN[name]
        # `accept` answers with a text where a plugin knows the format but cannot decode it here.
        accepted = accept is None or accept(data[:16])
        if isinstance(accepted, str) or not accepted:
            continue
        try:
            return factory(io.BytesIO(data), "")
        except (SyntaxError, IndexError, TypeError, struct.error):
            continue
    return _heic(data)


def _scale(image: ImageFile.ImageFile, least_side: int | None) -> int:
    """By how much a JPEG is reduced so that its shorter side keeps `least_side` pixels; else 1."""
    if least_side is None or not isinstance(image, JpegImagePlugin.JpegImageFile):
        return 1
    return max((s for s in _REDUCED if min(image.size) >= s * least_side), default=1)


def _loaded(image: ImageFile.ImageFile, lower: Image.Image | None, scale: int) -> DecodedImage:
    found, many = described(image), image.width * image.height
    if many > PLAIN_PIXELS and isinstance(image, JpegImagePlugin.JpegImageFile):
        few = next((s for s in _REDUCED if many <= PLAIN_PIXELS * s * s), _REDUCED[-1])
        scale = max(scale, few)
    if scale > 1:
        image.draft(None, (max(1, image.width // scale), max(1, image.height // scale)))
    if many > PLAIN_PIXELS and isinstance(image, TiffImagePlugin.TiffImageFile):
        # Pillow measures only what it allocates itself; memory has been claimed for these pixels.
        image.im = Image.core.new(image.mode, image._tile_size)
    grey = _raw_mode(image) == _GREY
    image.load()
    if lower is not None:
        lower.load()
        if grey:
            _, values, _, opacity = lower.split()
            lower = Image.merge("RGBA", (values, values, values, opacity))
    return replace(found, lower=lower)


def described(image: Image.Image) -> DecodedImage:
    """What is special about an opened image, before its pixels are decoded."""
    found = DecodedImage(image, image.size, packed=bool(_raw_mode(image)))
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        return found
    tags = image.tag_v2
    if tags.get(_PLANES) == 2 and max(tags.get(_BITS) or (8,)) > 8:
        raise ValueError("channels of more than 8 bits in planes of their own")
    return replace(
        found,
        oriented=tags.get(_ORIENTATION, 1) in range(2, 9),
        white_is_zero=tags.get(_PHOTOMETRIC) == 0 and image.mode[0] in "IF",
        unsigned=image.mode == "I" and 1 in (tags.get(_FORMAT) or (1,)),
    )


def _raw_mode(image: Image.Image) -> str:
    """How several channels of 16 bits lie in the file, as Pillow names it; "" if there are none."""
    tiles = getattr(image, "tile", None)
    if not tiles or image.mode[0] in "IF":
        return ""
    args = tiles[0].args
    found = args if isinstance(args, str) else str(args[0]) if args else ""
    return found if found[-4:-1] == ";16" else ""


def _lower_half(image: Image.Image, data: bytes) -> ImageFile.ImageFile:
    """The same file, to be decoded into the lower 8 of the 16 bits of each channel."""
    other, raw = identified(data), _raw_mode(image)
    assert other is not None
    if raw.startswith("RGBa"):
        raise ValueError("16 bits with premultiplied transparency have no depth")
    byte_order = _NATIVE if raw.endswith("N") else raw[-1]
    # Grey and opacity are four bytes, which are taken one by one.
    raw = "RGBA" if raw == _GREY else f"{raw[:-1]}{_OPPOSITE[byte_order]}"
    tiles = []
    for tile in other.tile:
        args = raw if isinstance(tile.args, str) else (raw, *(tile.args or ())[1:])
        tiles.append(tile._replace(args=args))
    other.tile = tiles
    return other


def _needed(image: Image.Image, data: bytes, scale: int) -> int:
    """The bytes that decoding it, reduced by `scale`, takes beside those of the file."""
    many = image.width * image.height
    stored = _NARROW.get(image.mode, 4) * _COPIES.get(image.format or "", 1)
    if not isinstance(image, JpegImagePlugin.JpegImageFile):
        deep = image.mode[0] in "IF" or bool(_raw_mode(image))
        return many * (stored + (_TO_RGB if many <= PLAIN_PIXELS else 4 * deep))
    scans = _COEFFICIENTS * many if jpeg_scan(data).whole else 0
    return min(many // scale**2, PLAIN_PIXELS) * (stored + _TO_RGB) + scans


def _heic(data: bytes) -> ImageFile.ImageFile | None:
    if _kind(data) != "HEIC":
        return None
    try:
        from pillow_heif import HeifImageFile
    except ImportError:
        return None
    try:
        return HeifImageFile(io.BytesIO(data), "")
    except SyntaxError:
        return None


def _kind(data: bytes) -> str | None:
    return image_kind(data[:FIRST_BYTES])


def _unknown(name: str, data: bytes) -> ImageError:
    kind = _kind(data)
    if kind in NEEDED and (needed := obstacle(kind)):
        return ImageLimitError(
            f"{name} to be {KINDS}", f"a {kind} image, which needs: {needed}",
            "install that, or convert the file",
        )  # fmt: skip
    if kind == "TIFF":
        return refused(name, "a TIFF of a kind that Pillow does not decode, or too little of one")
    if kind in PLAIN_KINDS or kind in NEEDED:
        return refused(name, f"{kind} data that is damaged at its beginning, or too short")
    if is_web_page(data[:FIRST_BYTES]):
        return refused(name, "a web page (HTML), no image")
    # Lists of unreadable files show these words alone.
    return refused(name, f"no image that is read here ({kind})" if kind else "no image")


def _silence_pillow() -> None:
    """Keep Pillow's remarks on odd metadata off the screen: what matters is an `ImageError`.

    `warnings.catch_warnings` is not safe in threads, so one filter is put in place and stays.
    """
    if not any(
        f[0] == "ignore" and getattr(f[3], "pattern", "") == "PIL" for f in warnings.filters
    ):
        warnings.filterwarnings("ignore", module="PIL")
