"""Decode an image file into a square of RGB pixels, or say in one line why that cannot be done."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Shaped, UInt8
from PIL import Image

from manyheads.core.job import SILENT, Job
from manyheads.data.data_settings import FINER, ImageSettings
from manyheads.data.decoding import DecodedImage, damaged, decoded, described, read_bytes
from manyheads.data.depth import bits_used, is_deep, to_eight_bits
from manyheads.data.remarks import Remarks
from manyheads.data.remote_path import FilePath
from manyheads.errors import ImageError

_AT_ONCE = 1 << 22  # pixels of a large image that are converted at a time
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
    pixels, and whether the camera recorded an orientation other than upright.

    `bits` are those that its greatest value takes, where a channel has more than 8 (0: it has 8,
    or floating-point numbers). `cut`: the file lacks its end, but no pixel.
    """

    format: str
    mode: str
    width: int
    height: int
    rotated: bool
    bits: int = 0
    cut: bool = False


def load_pixels(
    source: FilePath | bytes,
    settings: ImageSettings,
    name: str = "",
    remarks: Remarks | None = None,
) -> UInt8[np.ndarray, "size size 3"]:
    """The image as RGB, 0 to 255, resized to `[size, size, 3]` as the settings say.

    Of an animation it is the first frame. More than 8 bits a channel are scaled to 8, palettes and
    CMYK are converted, and what is transparent is laid on white. Plain RGB with `nearest` equals
    Keras's own loader bit for bit. With the `decode` scaled, a JPEG is decoded at 1/2, 1/4 or 1/8
    of its size, the smallest whose shorter side has at least `settings.least_side` pixels. What is
    worth saying of the file is added to the `remarks`.
    Raises `ImageError` for whatever is not a whole JPEG, PNG, WebP, BMP, GIF, TIFF, AVIF or (with
    the extra heif) HEIC image, and `ImageLimitError` for one that takes more memory than
    `image_memory.memory_limit`.
    """
    name = name or _name(source)
    with decoded(
        source, name, both_halves=settings.depth is not None, least_side=settings.least_side
    ) as found:
        if remarks is not None:
            remarks.add(bits_used(found, settings.depth), found.cut)
        return _squared(_seen(found, settings, name), settings)


def check_pixels(pixels: np.ndarray, name: str = "the array") -> None:
    """Raise `ImageError` unless an array is one image: uint8 or uint16, the channels last.

    `[rows, columns]` are grey; the last axis of `[rows, columns, channels]` is grey, grey and
    opacity, RGB, or RGB and opacity.
    """
    channels = pixels.shape[2] if pixels.ndim == 3 else 1
    kinds = (np.dtype(np.uint8), np.dtype(np.uint16))
    if (
        pixels.dtype.newbyteorder("=") not in kinds
        or pixels.ndim not in (2, 3)
        or not (pixels.size and 1 <= channels <= 4)
    ):
        raise ImageError(
            f"uint8 or uint16 pixels [rows, columns, 3] in {name}",
            f"{pixels.dtype} {list(pixels.shape)}",
            "convert it to RGB from 0 to 255, the channels last",
        )


def square_pixels(
    pixels: Shaped[np.ndarray, "rows columns *channels"],
    settings: ImageSettings,
    name: str = "the array",
) -> UInt8[np.ndarray, "size size 3"]:
    """Pixels that are in memory already, as `load_pixels` makes them of a file.

    Raises what `check_pixels` raises.
    """
    check_pixels(pixels, name)
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[..., 0]
    if pixels.dtype == np.uint8:
        return _squared(_rgb(Image.fromarray(np.ascontiguousarray(pixels))), settings)
    if pixels.ndim == 2:
        found = DecodedImage(Image.fromarray(np.ascontiguousarray(pixels, np.uint16)), (1, 1))
    else:
        upper, lower = (
            np.ascontiguousarray(half, np.uint8) for half in (pixels >> 8, pixels & 255)
        )
        found = DecodedImage(
            Image.fromarray(upper), (1, 1), packed=True, lower=Image.fromarray(lower)
        )
    return _squared(_seen(found, settings, name), settings)


def square_image(
    image: Image.Image, settings: ImageSettings, name: str = "the image"
) -> UInt8[np.ndarray, "size size 3"]:
    """An image of Pillow as `load_pixels` makes it of a file; the image stays as it is.

    Raises `ImageError` if it cannot be decoded, or has values whose white is not told.
    """
    try:
        found = described(image)
        image.load()
        return _squared(_seen(found, settings, name), settings)
    except ImageError:
        raise
    except Exception as error:
        raise damaged(name, error) from error


def size_upright(image: Image.Image) -> tuple[int, int]:
    """Its width and height in pixels once it is turned as its camera recorded."""
    width, height = image.size
    return (
        (height, width) if image.getexif().get(_ORIENTATION, 1) in range(5, 9) else (width, height)
    )


def load_thumbnail(
    source: FilePath | bytes, side: int, *, exif: bool = True, depth: int | None = None
) -> Image.Image:
    """The image as RGB, for looking at: in its own proportions, at most `side` pixels either way.

    Raises `ImageError` as `load_pixels` does.
    """
    settings = ImageSettings(size=max(32, side), exif=exif, depth=depth)
    with decoded(source, _name(source), both_halves=settings.depth is not None) as found:
        small = _seen(found, settings, _name(source), natural=True)
        small.thumbnail((side, side))
        return small


def load_layer(source: FilePath | bytes, side: int, name: str = "") -> Image.Image:
    """The image as RGBA, to lay on others: transparency kept, at most `side` pixels either way.

    Raises `ImageError` as `load_pixels` does.
    """
    name = name or _name(source)
    settings = ImageSettings(size=max(32, side))
    with decoded(source, name) as found:
        if found.image.has_transparency_data and not (is_deep(found.image) or found.large):
            layer = _upright(found.image).convert("RGBA")
        else:
            layer = _seen(found, settings, name, natural=True)
        layer.thumbnail((side, side))
        return layer.convert("RGBA")


def read_image_file(path: FilePath, job: Job = SILENT) -> bytes:
    """The bytes that a file has now.

    Raises `ImageError` if it cannot be read, and for a file at an address `Interrupted` once `job`
    is stopped.
    """
    return read_bytes(path, str(path), fresh=True, job=job)


def inspect_image(source: FilePath | bytes, name: str = "", depth: int | None = None) -> ImageFacts:
    """Decode the image wholly and tell what it is; raises `ImageError` as `load_pixels` does."""
    name = name or _name(source)
    with decoded(source, name) as found:
        if is_deep(found.image):
            to_eight_bits(found, depth, name)
        image, (width, height) = found.image, found.size
        oriented = found.oriented or _turn(image) is not None
        bits = bits_used(found, depth)
        return ImageFacts(image.format or "", image.mode, width, height, oriented, bits, found.cut)


def _seen(
    found: DecodedImage, settings: ImageSettings, name: str, *, natural: bool = False
) -> Image.Image:
    """RGB with 8 bits a channel, upright if the settings say so; of a large image a smaller one,
    `natural`: in its own proportions."""
    turn = _turn(found.image) if settings.exif else None
    image = to_eight_bits(found, settings.depth, name)
    if not found.large:
        image = _rgb(image)
    elif settings.shorter_side is not None and not natural:
        image = _reduced(_middle(image, min(image.size)), settings.shorter_side, natural=True)
    else:
        image = _reduced(image, settings.size, natural or settings.keeps_proportions)
    return image if turn is None else image.transpose(turn)


def _squared(image: Image.Image, settings: ImageSettings) -> UInt8[np.ndarray, "size size 3"]:
    size, resampling = settings.size, Image.Resampling[settings.interpolation.upper()]
    wanted = (size, size)
    if settings.keeps_proportions:
        # The other side is rounded down, as the processors of published networks do it.
        sides = image.width, image.height
        crop = settings.shorter_side
        target, given = (size, max(sides)) if crop is None else (crop, min(sides))
        width, height = (max(1, target * side // given) for side in sides)
        wanted = (width, height)
    if image.size != wanted:
        image = image.resize(wanted, resampling)
    if image.size != (size, size):
        image = _middle(image, size)
    return np.array(image, dtype=np.uint8)


def _middle(image: Image.Image, side: int) -> Image.Image:
    """The square of `side` pixels in the middle; black where the image does not reach."""
    left, top = (image.width - side) // 2, (image.height - side) // 2
    return image.crop((left, top, left + side, top + side))


def _turn(image: Image.Image) -> Image.Transpose | None:
    try:
        return _TURNS.get(image.getexif().get(_ORIENTATION, 1))
    # Malformed metadata beside a sound image: it says nothing about the orientation.
    except Exception:
        return None


def _upright(image: Image.Image) -> Image.Image:
    turn = _turn(image)
    return image if turn is None else image.transpose(turn)


def _reduced(image: Image.Image, side: int, natural: bool) -> Image.Image:
    """A large image in RGB, made smaller by the means of whole rectangles of its pixels.

    Some rows at a time, so that not all of it is there twice.
    """
    wide, high = (max(1, length // (FINER * side)) for length in image.size)
    if natural:
        wide = high = max(wide, high)
    rows = high * max(1, _AT_ONCE // (image.width * high))
    small = Image.new("RGB", (-(-image.width // wide), -(-image.height // high)))
    for top in range(0, image.height, rows):
        part = image.crop((0, top, image.width, min(top + rows, image.height)))
        small.paste(_rgb(part).reduce((wide, high)), (0, top // high))
    return small


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if not image.has_transparency_data:
        return image.convert("RGB")
    layer = image.convert("RGBA")
    white = Image.new("RGBA", layer.size, "white")
    return Image.alpha_composite(white, layer).convert("RGB")


def _name(source: FilePath | bytes) -> str:
    return "the image" if isinstance(source, bytes) else str(source)
