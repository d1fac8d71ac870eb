"""Decode an image file into a square of RGB pixels, or say in one line why that cannot be done."""

from __future__ import annotations

import io
import stat
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, UnidentifiedImageError

from manyheads.errors import ImageError
from manyheads.settings import ImageSettings

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif")

_LONGEST = 1 << 30  # bytes; Pillow's limit of pixels, uncompressed in 16 bits, has fewer
_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF")
_ORIENTATION = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True)
class ImageFacts:
    """What a file's image is: its format and mode as Pillow names them, its size as stored in
    pixels, and whether the camera recorded an orientation other than upright."""

    format: str
    mode: str
    width: int
    height: int
    rotated: bool


def load_pixels(
    source: Path | bytes, settings: ImageSettings, name: str = ""
) -> UInt8[np.ndarray, "size size 3"]:
    """The image as RGB, 0 to 255, squashed to `[size, size, 3]`.

    Of an animation it is the first frame. 16-bit greyscale is scaled to 8 bits, palettes and CMYK
    are converted, and what is transparent is laid on white. Plain RGB with `nearest` equals
    Keras's own loader bit for bit. Raises `ImageError` for whatever is not a whole JPEG, PNG,
    WebP, BMP or GIF image within Pillow's limit of pixels.
    """
    name = name or _name(source)
    image = _decode(source, name)
    try:
        if settings.exif:
            image = _upright(image)
        return _squared(_rgb(image), settings)
    except Exception as error:
        raise _damaged(name, error) from error


def square_pixels(
    pixels: UInt8[np.ndarray, "rows columns 3"], settings: ImageSettings, name: str = "the array"
) -> UInt8[np.ndarray, "size size 3"]:
    """RGB pixels that are in memory already, squashed as `load_pixels` squashes a file's.

    Raises `ImageError` unless they are `uint8 [rows, columns, 3]`.
    """
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
        raise ImageError(
            f"uint8 pixels [rows, columns, 3] in {name}",
            f"{pixels.dtype} {list(pixels.shape)}",
            "convert it to RGB from 0 to 255",
        )
    return _squared(Image.fromarray(pixels), settings)


def load_thumbnail(source: Path | bytes, side: int, *, exif: bool = True) -> Image.Image:
    """The image as RGB, for looking at: in its own proportions, at most `side` pixels either way.

    Raises `ImageError` as `load_pixels` does.
    """
    image = _decode(source, _name(source))
    try:
        small = _rgb(_upright(image) if exif else image)
        small.thumbnail((side, side))
    except Exception as error:
        raise _damaged(_name(source), error) from error
    return small


def load_layer(source: Path | bytes, side: int, name: str = "") -> Image.Image:
    """The image as RGBA, to lay on others: transparency kept, at most `side` pixels either way.

    Raises `ImageError` as `load_pixels` does.
    """
    name = name or _name(source)
    image = _decode(source, name)
    try:
        upright = _upright(image)
        layer = upright.convert("RGBA") if upright.has_transparency_data else _rgb(upright)
        layer.thumbnail((side, side))
        return layer.convert("RGBA")
    except Exception as error:
        raise _damaged(name, error) from error


def read_image_file(path: Path) -> bytes:
    """The bytes of a file; raises `ImageError` if it cannot be read."""
    return _read(path, str(path))


def inspect_image(source: Path | bytes, name: str = "") -> ImageFacts:
    """Decode the image wholly and tell what it is; raises `ImageError` as `load_pixels` does."""
    image = _decode(source, name or _name(source))
    return ImageFacts(
        image.format or "", image.mode, image.width, image.height, _turn(image) is not None
    )


def _decode(source: Path | bytes, name: str) -> Image.Image:
    data = _read(source, name)
    if not data:
        raise _refused(name, "an empty file")
    _silence_pillow()
    try:
        image = Image.open(io.BytesIO(data), formats=_FORMATS)
        limit = Image.MAX_IMAGE_PIXELS
        if limit is not None and image.width * image.height > limit:
            raise Image.DecompressionBombError
        image.load()
    except UnidentifiedImageError as error:
        raise _refused(name, "none of these, or too little of one") from error
    except Image.DecompressionBombError as error:
        raise _bomb(name) from error
    # Decoders meet hostile bytes with a dozen kinds of exception, SyntaxError among them.
    except Exception as error:
        raise _damaged(name, error) from error
    return image


def _read(source: Path | bytes, name: str) -> bytes:
    if isinstance(source, bytes):
        return source
    try:
        about = source.stat()
        # A pipe would be waited for, and a device may have no end.
        if not stat.S_ISREG(about.st_mode) and not stat.S_ISDIR(about.st_mode):
            raise _refused(name, "no ordinary file")
        if about.st_size > _LONGEST:
            raise _refused(name, f"{about.st_size:,} bytes")
        return source.read_bytes()
    except OSError as error:
        found = (error.strerror or str(error)).lower()
        raise ImageError(f"to read {name}", found, "check the file and its permissions") from error


def _silence_pillow() -> None:
    """Keep Pillow's remarks on odd metadata off the screen: what matters is an `ImageError`.

    `warnings.catch_warnings` is not safe in threads, so one filter is put in place and stays.
    """
    if not any(
        f[0] == "ignore" and getattr(f[3], "pattern", "") == "PIL" for f in warnings.filters
    ):
        warnings.filterwarnings("ignore", module="PIL")


def _squared(image: Image.Image, settings: ImageSettings) -> UInt8[np.ndarray, "size size 3"]:
    square = (settings.size, settings.size)
    if image.size != square:
        image = image.resize(square, Image.Resampling[settings.interpolation.upper()])
    return np.array(image, dtype=np.uint8)


def _turn(image: Image.Image) -> Image.Transpose | None:
    try:
        return _TURNS.get(image.getexif().get(_ORIENTATION, 1))
    # Malformed metadata beside a sound image: it says nothing about the orientation.
    except Exception:
        return None


def _upright(image: Image.Image) -> Image.Image:
    turn = _turn(image)
    return image if turn is None else image.transpose(turn)


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        return _scaled_grey(image)
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if not image.has_transparency_data:
        return image.convert("RGB")
    layer = image.convert("RGBA")
    white = Image.new("RGBA", layer.size, "white")
    return Image.alpha_composite(white, layer).convert("RGB")


def _scaled_grey(image: Image.Image) -> Image.Image:
    values = np.clip(np.asarray(image).astype(np.int64), 0, 65535)
    grey = ((values * 255 + 32767) // 65535).astype(np.uint8)
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):
        grey[values == transparent] = 255
    return Image.fromarray(grey).convert("RGB")


def _name(source: Path | bytes) -> str:
    return str(source) if isinstance(source, Path) else "the image"


def _bomb(name: str) -> ImageError:
    expected = f"{name} to hold at most {Image.MAX_IMAGE_PIXELS or 0:,} pixels"
    return ImageError(expected, "a decompression bomb", "make the image smaller or remove it")


def _refused(name: str, found: str) -> ImageError:
    expected = f"{name} to be a JPEG, PNG, WebP, BMP or GIF image"
    return ImageError(expected, found, "replace the file or remove it")


def _damaged(name: str, error: Exception) -> ImageError:
    reason = " ".join(str(error).split())[:120] or type(error).__name__
    return _refused(name, f"a damaged or truncated one ({reason})")
