"""Pictures that are no clothing: drawn or cut here, from nothing that a network has to bring."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from manyheads.data.catalog import locate

SIDE = 320
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
WORDS = ("the", "quick", "brown", "fox", "jumps", "over", "lazy", "dogs", "while", "seven")


def strangers(folder: Path, each: int, more: Path | None = None) -> dict[str, list[Path]]:
    """So many pictures of each kind below `folder`, by kind; `more` is a folder of further ones.

    Crops of scikit-learn's two photographs, its digits, texts, diagrams, scribbles, stripes and
    checks, blurred noise and plain noise.
    """
    random = np.random.default_rng(0)
    made = {
        "crops of a photograph of a palace": _crops("china.jpg", each, random),
        "crops of a photograph of a flower": _crops("flower.jpg", each, random),
        "texts": (_text(random) for _ in range(each)),
        "diagrams": (_diagram(random) for _ in range(each)),
        "scribbles": (_scribble(random) for _ in range(each)),
        "stripes and checks": (_texture(random) for _ in range(each)),
        "blurred noise": (_noise(random, int(random.integers(4, 40))) for _ in range(each)),
        "noise": (_noise(random, SIDE) for _ in range(each)),
    }
    found = {
        kind: _written(folder / f"{n:02d}", images) for n, (kind, images) in enumerate(made.items())
    }
    digits = sorted(locate("digits").rglob("*.png"))
    found["handwritten digits"] = [
        digits[n] for n in random.permutation(len(digits))[:each].tolist()
    ]
    if more is not None:
        files = sorted(path for path in more.rglob("*") if path.suffix.lower() in SUFFIXES)
        found[f"pictures below {more.name}/"] = files
    return found


def _written(folder: Path, images: Iterator[Image.Image]) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for number, image in enumerate(images):
        file = folder / f"{number:03d}.png"
        image.convert("RGB").save(file)
        files.append(file)
    return files


def _crops(name: str, count: int, random: np.random.Generator) -> Iterator[Image.Image]:
    from sklearn.datasets import load_sample_image

    whole = Image.fromarray(load_sample_image(name))
    for _ in range(count):
        side = int(random.integers(200, min(whole.size) + 1))
        left, top = (int(random.integers(0, length - side + 1)) for length in whole.size)
        cut = whole.crop((left, top, left + side, top + side))
        yield cut.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if random.random() < 0.5 else cut


def _color(random: np.random.Generator, low: int = 0, high: int = 256) -> tuple[int, int, int]:
    red, green, blue = random.integers(low, high, 3).tolist()
    return red, green, blue


def _text(random: np.random.Generator) -> Image.Image:
    image = Image.new("RGB", (SIDE, SIDE), _color(random, 200))
    draw = ImageDraw.Draw(image)
    size = int(random.integers(12, 30))
    ink, font = _color(random, 0, 90), ImageFont.load_default(size)
    for top in range(8, SIDE, int(1.3 * size)):
        draw.text((8, top), " ".join(random.choice(WORDS, 9)), fill=ink, font=font)
    return image


def _diagram(random: np.random.Generator) -> Image.Image:
    image = Image.new("RGB", (SIDE, SIDE), "white")
    draw = ImageDraw.Draw(image)
    draw.line([(30, 10), (30, SIDE - 30), (SIDE - 10, SIDE - 30)], fill="black", width=2)
    if random.random() < 0.5:
        for left in range(45, SIDE - 30, 30):
            top = int(random.integers(20, SIDE - 40))
            draw.rectangle([left, top, left + 20, SIDE - 31], fill=_color(random))
    for _ in range(int(random.integers(1, 4))):
        steps = np.clip(150 + np.cumsum(random.normal(0, 22, 12)), 12, SIDE - 32)
        points = [(35 + 24 * n, float(height)) for n, height in enumerate(steps)]
        draw.line(points, fill=_color(random, 0, 180), width=3)
    return image


def _scribble(random: np.random.Generator) -> Image.Image:
    image = Image.new("RGB", (SIDE, SIDE), "white")
    draw = ImageDraw.Draw(image)
    for _ in range(int(random.integers(2, 7))):
        walk = np.clip(SIDE / 2 + np.cumsum(random.normal(0, 30, (25, 2)), axis=0), 4, SIDE - 4)
        draw.line([(float(x), float(y)) for x, y in walk], fill=_color(random, 0, 160), width=5)
    return image


def _texture(random: np.random.Generator) -> Image.Image:
    rows, columns = np.mgrid[:SIDE, :SIDE]
    angle, width = random.uniform(0, np.pi), random.uniform(8, 60)
    along = rows * np.sin(angle) + columns * np.cos(angle)
    across = columns * np.sin(angle) - rows * np.cos(angle)
    wave = np.sin(2 * np.pi * along / width)
    if random.random() < 0.5:
        wave = np.sign(wave * np.sin(2 * np.pi * across / width))
    share = (wave[..., np.newaxis] + 1) / 2
    colors = np.array([_color(random), _color(random)], np.float64)
    return Image.fromarray((share * colors[0] + (1 - share) * colors[1]).astype(np.uint8))


def _noise(random: np.random.Generator, cells: int) -> Image.Image:
    coarse = Image.fromarray(random.integers(0, 256, (cells, cells, 3), np.uint8))
    return coarse.resize((SIDE, SIDE), Image.Resampling.BICUBIC)
