"""Near-duplicates made on purpose: photographs saved again, resized, cut, lit, mirrored."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PIL import Image, ImageEnhance, ImageOps

Change = Callable[[Image.Image], Image.Image]


def _same(image: Image.Image) -> Image.Image:
    return image


def _scaled(factor: float) -> Change:
    return lambda image: image.resize(
        (round(factor * image.width), round(factor * image.height)), Image.Resampling.LANCZOS
    )


def _cut(share: float) -> Change:
    """Leave out `share` of width and height, half of it on each side."""

    def cut(image: Image.Image) -> Image.Image:
        x, y = round(share * image.width / 2), round(share * image.height / 2)
        return image.crop((x, y, image.width - x, image.height - y))

    return cut


def _lit(factor: float) -> Change:
    return lambda image: ImageEnhance.Brightness(image).enhance(factor)


# What is done, and the JPEG quality that the outcome is saved at.
KINDS: dict[str, tuple[Change, int]] = {
    "saved at quality 90": (_same, 90),
    "saved at quality 70": (_same, 70),
    "saved at quality 50": (_same, 50),
    "half the size": (_scaled(0.5), 90),
    "twice the size": (_scaled(2.0), 90),
    "cut by 2 %": (_cut(0.02), 90),
    "cut by 5 %": (_cut(0.05), 90),
    "cut by 10 %": (_cut(0.10), 90),
    "brightness × 0.8": (_lit(0.8), 90),
    "brightness × 1.2": (_lit(1.2), 90),
    "mirrored": (ImageOps.mirror, 90),
}


def plant(photographs: list[Path], folder: Path) -> None:
    """Write every kind of every photograph below `folder`: a folder a kind, files by place."""
    for number, path in enumerate(photographs):
        with Image.open(path) as image:
            upright = ImageOps.exif_transpose(image).convert("RGB")
        for kind, (change, quality) in KINDS.items():
            target = folder / kind / f"{number:04d}.jpg"
            target.parent.mkdir(parents=True, exist_ok=True)
            change(upright).save(target, quality=quality)
