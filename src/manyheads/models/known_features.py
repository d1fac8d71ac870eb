"""The feature cache as predictions use it: a help where it works, and no obstacle where not."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import numpy as np
from jaxtyping import Float, Float32

from manyheads.errors import DiskError
from manyheads.features.cache import FeatureCache, FeatureRecipe

_log = logging.getLogger(__name__)
Answer = TypeVar("Answer")
Row = Float32[np.ndarray, "features"]


class KnownFeatures:
    """Features of contents, from the cache of `recipe` and into it; without one, of none.

    Where the disk refuses, it says so in the log and knows nothing from then on. For one thread.
    """

    def __init__(self, recipe: FeatureRecipe | None) -> None:
        self._cache: FeatureCache | None = None
        self._matrix: Float[np.ndarray, "stored features"] | None = None
        if recipe is not None:
            self._cache = self._tried(lambda: FeatureCache(recipe), None)

    def find(self, contents: Sequence[str]) -> dict[str, Row | str]:
        """The features of those contents that are known, or why they are no images."""
        cache = self._cache
        if cache is None or not contents:
            return {}
        return self._tried(lambda: self._found(cache, contents), {})

    def add(self, features: Mapping[str, Row]) -> None:
        """Keep the features of these contents."""
        cache = self._cache
        if cache is not None and features:
            stacked = np.stack(list(features.values()))
            self._tried(lambda: cache.add(list(features), stacked), None)

    def add_failure(self, content: str, reason: str) -> None:
        """Remember why a content is no image."""
        cache = self._cache
        if cache is not None:
            self._tried(lambda: cache.add_failure(content, reason), None)

    def close(self) -> None:
        """Close the cache's files."""
        if self._cache is not None:
            self._cache.close()
            self._cache = None

    def _found(self, cache: FeatureCache, contents: Sequence[str]) -> dict[str, Row | str]:
        rows = cache.rows(contents)
        found: dict[str, Row | str] = dict(cache.failures(contents))
        if rows.max() >= 0:
            if self._matrix is None or rows.max() >= len(self._matrix):
                self._matrix = cache.matrix()
            for content, row in zip(contents, rows.tolist(), strict=True):
                if row >= 0:
                    found[content] = np.array(self._matrix[row], np.float32)
        return found

    def _tried(self, call: Callable[[], Answer], otherwise: Answer) -> Answer:
        try:
            return call()
        except DiskError as error:
            _log.warning("predicting without the feature cache: %s", error)
            self.close()
            return otherwise
