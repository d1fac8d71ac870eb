"""The images to explain: files and arrays, decoded in threads, in batches."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8

from manyheads.core.threads import map_in_threads
from manyheads.data.data_settings import ImageSettings
from manyheads.data.image_inputs import Image, NamedImage, each_of, named, square_of
from manyheads.errors import ImageError

Square = UInt8[np.ndarray, "size size 3"]
WORK = "explaining"


class Decoded(NamedTuple):
    """Some of the images, by their places, and their pixels as the model takes them."""

    places: list[int]
    pixels: UInt8[np.ndarray, "n size size 3"]


def listed(images: Image | Iterable[Image]) -> list[NamedImage]:
    """One image or many, each with its name."""
    return [named(each, place) for place, each in enumerate(each_of(images))]


def batches(
    sources: Sequence[NamedImage],
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
            name, source = sources[place]
            return square_of(source, settings, name)
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
