"""What is known of where a model looked: two maps an image."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32
from PIL import Image

from manyheads.core.settings import choice
from manyheads.data.data_settings import ImageSettings
from manyheads.data.image_inputs import Source, natural_size, square_of
from manyheads.errors import ImageError
from manyheads.models.explain.maps import METHODS, Map, part_name
from manyheads.models.explain.overlay import ALPHA, overlay, shared_limit

SIDE = 320  # pixels
_LEAST = 0.005  # of a probability
_SHOWN = 10  # explanations in a notebook


@dataclass(frozen=True, kw_only=True, eq=False)
class Explanation:
    """Where a model looked in one image.

    `label` and `confidence` are its answer; `target` is the class that the maps are of, with its
    `probability`: `occlusion` and `cam`, as `maps` defines them. `without` has the probability that
    is left without each part of the image, as `maps.without_parts` defines it. An image that cannot
    be read has neither label nor maps; `error` says why.
    """

    image: str
    source: Source
    settings: ImageSettings
    label: str | None = None
    confidence: float = float("nan")
    target: str | None = None
    occlusion: Map | None = None
    cam: Map | None = None
    probability: float = float("nan")
    without: Map | None = None
    error: str | None = None

    def map(self, method: str = METHODS[0]) -> Map:
        """The map of a method, `occlusion` or `cam`; raises `ImageError` if there is none."""
        choice("method", method, METHODS)
        found = self.occlusion if method == "occlusion" else self.cam
        if found is None:
            raise ImageError(f"to read {self.image}", self.error or "no map", "replace the file")
        return found

    @property
    def strongest(self) -> tuple[str, float] | None:
        """The part that counts most, such as "upper middle", and the probability without it.

        None if no part lowers the probability by half a point or more.
        """
        if self.without is None or not self.probability - self.without.min() >= _LEAST:
            return None
        row, column = divmod(int(self.without.argmin()), self.without.shape[1])
        rows, columns = self.without.shape
        return part_name(row, column, (rows, columns)), float(self.without[row, column])

    @property
    def words(self) -> str:
        """What counts most for the class, in one sentence."""
        if self.error is not None or self.target is None:
            return f"{self.image} cannot be read: {self.error}."
        about = f"the probability of {self.target!r}"
        if self.strongest is None:
            return f"No single part counts: without any of them, {about} stays at " + (
                f"{self.probability:.2f}."
            )
        part, left = self.strongest
        return f"Without the {part}, {about} falls from {self.probability:.2f} to {left:.2f}."

    def _repr_html_(self) -> str:
        if self.error is not None:
            return f"<p>{html.escape(self.words)}</p>"
        pictures = [self.picture(), self.overlay()]
        shown = "".join(f'<img alt="" src="{_as_url(each)}"> ' for each in pictures)
        return f"<figure>{shown}<figcaption>{html.escape(self.words)}</figcaption></figure>"

    def picture(self, side: int = SIDE) -> Image.Image:
        """What the model saw, in the image's own proportions; the longer side `side`.

        A squashed image is pulled back to them; of a crop its middle is there, of a padded image
        also the bars.

        Raises `ImageError` if the image cannot be read any more.
        """
        pixels = square_of(self.source, self.settings, self.image)
        width = height = side
        if not self.settings.keeps_proportions:
            width, height = natural_size(self.source, self.settings, side)
        scale = side / max(width, height)
        size = max(1, round(width * scale)), max(1, round(height * scale))
        return Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC)

    def overlay(
        self,
        method: str = METHODS[0],
        side: int = SIDE,
        *,
        limit: float | None = None,
        alpha: float = ALPHA,
    ) -> Image.Image:
        """The picture under a map; the last colour is `limit` and more, 0 and less the first.

        Without a limit, it is this map's own greatest value, rounded up: give the same one to
        compare images. Raises what `picture` raises, and `SettingError` for another method or an
        `alpha` outside [0, 1].
        """
        found = self.map(method)
        limit = shared_limit([found]) if limit is None else limit
        return overlay(self.picture(side), found, limit, alpha)


class Explanations(Sequence[Explanation]):
    """Explanations in the order of the images."""

    def __init__(self, grid: tuple[int, int], entries: Sequence[Explanation]) -> None:
        self.grid = grid
        self._entries = tuple(entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __getitem__(self, index):
        return self._entries[index]

    @property
    def labels(self) -> list[str | None]:
        """The answer for each image, None where it cannot be read."""
        return [entry.label for entry in self]

    @property
    def occlusion(self) -> Float32[np.ndarray, "images rows columns"]:
        """All maps of the occlusion; not-a-number where an image cannot be read."""
        return self._stacked("occlusion")

    @property
    def cam(self) -> Float32[np.ndarray, "images rows columns"]:
        """All class-activation maps; not-a-number where an image cannot be read."""
        return self._stacked("cam")

    @property
    def readable(self) -> list[Explanation]:
        """Those of the images that can be read."""
        return [entry for entry in self if entry.error is None]

    def limit(self, method: str = METHODS[0]) -> float:
        """A limit for the colours of all overlays of a method, `overlay.shared_limit`."""
        return shared_limit(entry.map(method) for entry in self.readable)

    def _stacked(self, method: str) -> Float32[np.ndarray, "images rows columns"]:
        found = np.full((len(self), *self.grid), np.nan, np.float32)
        for place, entry in enumerate(self):
            if entry.error is None:
                found[place] = entry.map(method)
        return found

    def __repr__(self) -> str:
        shown = [
            f"{e.image}: unreadable, {e.error}"
            if e.error
            else f"{e.image}: {e.label} ({e.confidence:.2f}). {e.words}"
            for e in self[:5]
        ]
        more = [f"… and {len(self) - 5} more"] if len(self) > 5 else []
        rows, columns = self.grid
        return "\n".join([f"<{len(self)} explanations, {rows}×{columns} cells>", *shown, *more])

    def _repr_html_(self) -> str:
        more = f"<p>… and {len(self) - _SHOWN} more</p>" if len(self) > _SHOWN else ""
        return "".join(each._repr_html_() for each in self[:_SHOWN]) + more


def _as_url(picture: Image.Image) -> str:
    """A picture inside a page."""
    content = io.BytesIO()
    picture.save(content, "PNG")
    return "data:image/png;base64," + base64.b64encode(content.getvalue()).decode()
