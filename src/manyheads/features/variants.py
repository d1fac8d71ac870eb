"""Features of images in several variants: plain, of augmented copies, marked, pooled or as maps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from manyheads.backbones.registry import BackboneSpec
from manyheads.backbones.weights import Weights
from manyheads.core.job import SILENT, Job
from manyheads.core.workers import Workers
from manyheads.data.alterations import Alteration, Altered
from manyheads.data.augmentation import Augmentation, View
from manyheads.data.columns import Rows
from manyheads.data.data_settings import ImageSettings
from manyheads.data.dataset import Dataset
from manyheads.features.cache import FeatureRecipe, lacking
from manyheads.features.extraction import Features, extract, recipe_of
from manyheads.heads.fold import Variant

if TYPE_CHECKING:  # it draws, with fonts, which a study without marks has no use for
    from manyheads.data.marks import Mark

Key = TypeVar("Key")


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Images that are needed in one `variant`, with the `mark` planted on them if there is one.

    `augmentation` makes the views beside the plain one, and `storage` is how feature maps are kept.
    """

    variant: Variant
    images: Rows
    augmentation: Augmentation | None = None
    mark: Mark | None = None
    storage: str = "f32"

    @property
    def how(self) -> dict[str, Any]:
        """The arguments of `extract` and `recipe_of` that make it."""
        copy, erased, grid = self.variant
        steps: list[Alteration] = [] if self.mark is None else [self.mark]
        if copy:
            assert self.augmentation is not None
            steps.append(View(number=copy, augmentation=self.augmentation, hide_pixels=erased))
        alteration = Altered(tuple(steps)) if len(steps) > 1 else next(iter(steps), None)
        return {
            "alteration": alteration,
            **({"pooling": "grid", "storage": self.storage} if grid else {}),
        }

    @property
    def words(self) -> str:
        """Such as `with the mark, augmented copy 2, 25 % erased`."""
        copy, erased, grid = self.variant
        parts = ["as they are" if self.mark is None else "with the mark"]
        parts += [f"augmented copy {copy}"] if copy else []
        parts += [f"{100 * erased:g} % erased"] if erased else []
        parts += ["feature map"] if grid else []
        return ", ".join(parts)


@dataclass(frozen=True)
class Extractor:
    """What turns images into features: a backbone, its weights, and how both are used.

    With `workers`, these compute.
    """

    spec: BackboneSpec
    weights: Weights
    image: ImageSettings
    runtime: str = "openvino"
    precision: str = "f32"
    device: str = "cpu"
    workers: Workers | None = None

    def recipe(self, wanted: Wanted) -> FeatureRecipe:
        """The recipe under which the features of a variant are kept."""
        where = self.runtime, self.precision, self.device
        return recipe_of(self.spec, self.weights, self.image, *where, **wanted.how)

    def extract(
        self, dataset: Dataset, wanted: Wanted, job: Job = SILENT, *, in_turn: bool = False
    ) -> Features:
        """The features of a variant, from the cache or computed now; raises what `extract` does."""
        return extract(
            dataset, self.spec, self.weights, self.image,
            runtime=self.runtime, device=self.device, precision=self.precision,
            only=wanted.images, in_turn=in_turn, workers=self.workers, job=job, **wanted.how,
        )  # fmt: skip

    def extract_all(
        self,
        dataset: Dataset,
        wanted: Mapping[Key, Wanted],
        *,
        total: int,
        before: int = 0,
        job: Job = SILENT,
    ) -> Iterator[tuple[Key, Features]]:
        """The features of each variant in turn, `before` passes made and about `total` in all."""
        for key, each in wanted.items():
            features = self.extract(dataset, each, job.counting_on(before, total))
            before += features.passes
            yield key, features


def missing_passes(dataset: Dataset, wanted: Wanted, extractor: Extractor | None) -> int:
    """The backbone passes that a variant still needs: all of them where nothing extracts yet."""
    contents = dataset.digests.take(wanted.images)
    contents = contents.take(contents.distinct()[0])
    if extractor is None:
        return len(contents)
    return lacking(extractor.recipe(wanted), contents).passes
