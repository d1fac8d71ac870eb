"""The images to explain: files and arrays, decoded in threads, in batches."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8

from manyheads.data.images import load_pixels, square_pixels
from manyheads.data.threads import map_in_threads
from manyheads.errors import ImageError
from manyheads.settings import ImageSettings

Source = Path | UInt8[np.ndarray, "rows columns 3"]
Square = UInt8[np.ndarray, "size size 3"]
WORK = "explaining"


class Decoded(NamedTuple):
    """Some of the images, by their places, and their pixels as the model takes them."""

    places: list[int]
    pixels: UInt8[np.ndarray, "n size size 3"]


def listed(images: str | Source | Iterable[str | Source]) -> list[Source]:
    """One image or many as a list of paths and arrays."""
    if isinstance(images, str | Path) or (isinstance(images, np.ndarray) and images.ndim != 4):
        images = [images]
    return [each if isinstance(each, np.ndarray) else Path(each) for each in images]


def name_of(place: int, source: Source) -> str:
    """What an image is called: its path, or `array 3`."""
    return str(source) if isinstance(source, Path) else f"array {place}"


def decoded(source: Source, settings: ImageSettings, name: str) -> Square:
    """The pixels as the model takes them; raises `ImageError` if they cannot be read."""
    if isinstance(source, Path):
        return load_pixels(source, settings, name)
    return square_pixels(source, settings, name)


def batches(
    sources: Sequence[Source],
    settings: ImageSettings,
    size: int,
    unreadable: dict[int, str],
    stop: threading.Event | None,
) -> Generator[Decoded]:
    """The readable images, at most `size` at a time; `unreadable` gets the reasons of the others.

    Raises `Interrupted` when `stop` is set.
    """

    def attempt(place: int) -> Square | ImageError:
        try:
            return decoded(sources[place], settings, name_of(place, sources[place]))
        except ImageError as error:
            return error

    places, batch = [], []
    found = map_in_threads(attempt, range(len(sources)), what=WORK, stop=stop)
    for place, pixels in enumerate(found):
        if isinstance(pixels, ImageError):
            unreadable[place] = pixels.found
            continue
        places.append(place)
        batch.append(pixels)
        if len(batch) == size:
            yield Decoded(places, np.stack(batch))
            places, batch = [], []
    if batch:
        yield Decoded(places, np.stack(batch))
