"""Do maps of where a model looked depend on it, and point at what it has learnt?

    python -m benchmarks explain      five minutes on two cores

Three known tests of such maps, on the clothing photographs: the head's weights made random (Adebayo
et al. 2018), a planted logo (the pointing game of Zhang et al. 2018), and occlusion of pixels.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
from scipy.stats import rankdata

from benchmarks.machine import parser, photographs, show, table, write_result
from benchmarks.pointing import SETTING, Photographs, Pointing, logo_cells, trained
from manyheads.backbones import registry
from manyheads.backbones.compiled import compile_backbone
from manyheads.backbones.weights import resolve
from manyheads.data.data_settings import ImageSettings
from manyheads.data.dataset import open_dataset
from manyheads.data.images import load_pixels
from manyheads.data.marks import Mark
from manyheads.heads.head import Parameters, forward, glorot_parameters
from manyheads.models.explain.maps import (
    Grid,
    Map,
    activation_map,
    log_odds,
    occlusion_map,
    pooled,
)

IMAGE = ImageSettings(size=150, interpolation="nearest", exif=False)
TARGET = "t-shirt"
LOGO = Mark.usual("logo", position="random")


def zeroed_map(head: Parameters, grid: Grid, target: int) -> Map:
    """Occlusion that sets a cell to 0 instead of leaving it out of the mean."""
    cells = grid.reshape(-1, grid.shape[-1])
    whole = log_odds(forward(head, pooled(grid)[np.newaxis]), target)
    without = pooled(grid) - cells / np.float32(len(cells))
    return (whole - log_odds(forward(head, without), target)).reshape(grid.shape[:2])


MAPS = {"occlusion": occlusion_map, "cam": activation_map, "occlusion by zeros": zeroed_map}


def main() -> None:
    options = parser("Whether maps hold what they promise.")
    options.add_argument("--seeds", type=int, default=10)
    options.add_argument("--sample", type=int, default=40, help="photographs occluded in pixels")
    args = options.parse_args()
    seeds, epochs, sample = (2, 5, 4) if args.quick else (args.seeds, 20, args.sample)
    dataset, spec = open_dataset(photographs(args.data, real=True)), registry.get("xception")
    data = Photographs(dataset, spec, resolve(spec), IMAGE)
    target = dataset.classes.index(TARGET)
    plain = trained(data, None, target, seeds, epochs)
    marked = trained(data, LOGO, target, seeds, epochs)
    validation = dataset.rows("validation")
    grids = data.grids(validation)
    lines = [
        *randomised(plain, grids),
        *pointing(data, plain, marked, target),
        *pixels(data, plain[0], marked[0], target, sample),
        f"Xception at {IMAGE.size} × {IMAGE.size}, nearest neighbour; feature maps of "
        f"{grids.shape[1]} × {grids.shape[2]} cells; the lesson's head ({SETTING.size_inner} "
        f"inner units, droprate {SETTING.droprate:g}), {epochs} epochs, {seeds} seeds; "
        f"{len(validation)} validation photographs, which no head was trained on.",
    ]
    write_result(args.results, "explain", lines)


def correlations(maps: list[Map], others: list[Map]) -> np.ndarray:
    """Spearman's rank correlation over the cells of each image."""
    both = zip(maps, others, strict=True)
    ranks = [[rankdata(map_) for map_ in pair] for pair in both]
    return np.array([np.corrcoef(*pair)[0, 1] for pair in ranks])


def maps_of(head: Parameters, grids: np.ndarray, method: str, targets: list[int]) -> list[Map]:
    """The map of each grid, of its class in `targets`."""
    return [MAPS[method](head, grid, t) for grid, t in zip(grids, targets, strict=True)]


def answers(head: Parameters, grids: np.ndarray) -> list[int]:
    """The class that a head answers with."""
    return [int(forward(head, pooled(grid)[np.newaxis]).argmax()) for grid in grids]


def randomised(heads: list[Parameters], grids: np.ndarray) -> list[str]:
    """Trained maps beside those of heads with random weights, and with other seeds."""
    rows = [("the same images' maps of", "map", "mean rank correlation", "mean of its size")]
    for method in MAPS:
        found: dict[str, list[np.ndarray]] = {}
        for seed, head in enumerate(heads):
            targets = answers(head, grids)
            own = maps_of(head, grids, method, targets)
            for what, other in _others(head, heads, seed):
                maps = maps_of(other, grids, method, targets)
                found.setdefault(what, []).append(correlations(own, maps))
        for what, each in found.items():
            flat = np.concatenate(each)
            rows.append((what, method, f"{flat.mean():.2f}", f"{np.abs(flat).mean():.2f}"))
            show(*rows[-1])
    return [
        "## The head's weights made random",
        "",
        "Rank correlation over an image's cells with the map of a trained head, of the class that "
        "it answers with; the mean over images and seeds, and that of its absolute value.",
        "",
        *table(rows),
        "",
    ]


def _others(
    head: Parameters, heads: list[Parameters], seed: int
) -> Iterator[tuple[str, Parameters]]:
    features, units = head.inner_kernel.shape
    random = glorot_parameters(
        features, units, len(head.bias), np.random.default_rng([seed, features])
    )
    yield "a head trained from another seed", heads[(seed + 1) % len(heads)]
    yield "the head, its last layer random", head._replace(kernel=random.kernel, bias=random.bias)
    yield "a head of random weights", random


def pointing(
    data: Photographs, plain: list[Parameters], marked: list[Parameters], target: int
) -> list[str]:
    """How often the maps' maximum lies on a logo that the head has learnt, or has not."""
    validation = data.dataset.rows("validation")
    grids = data.grids(validation, LOGO)
    contents = [data.dataset.digests[image] for image in validation.tolist()]
    boxes = [logo_cells(LOGO, IMAGE.size, each, grids.shape[1:3]) for each in contents]
    area = float(np.mean([LOGO.covered(IMAGE.size, each).mean() for each in contents]))
    chance = Pointing.chance(boxes)
    rows: list[tuple[str, ...]] = [
        ("head", "map", "on the logo", "touching it", f"called {TARGET}")
    ]
    for what, heads in (("trained with the logo", marked), ("trained without", plain)):
        called = np.mean([np.mean(np.array(answers(each, grids)) == target) for each in heads])
        for method in MAPS:
            hits = np.mean(
                [
                    Pointing.of(maps_of(each, grids, method, [target] * len(grids)), boxes)
                    for each in heads
                ],
                axis=0,
            )
            shares = [f"{100 * share:.1f} %" for share in (*hits, called)]
            rows.append((what, method, *shares))
            show(*rows[-1])
    rows.append(("chance", "", *(f"{100 * share:.1f} %" for share in chance), ""))
    return [
        "## A planted logo",
        "",
        f"The logo lay on every {TARGET} that trained, at random places, and lies on every "
        f"validation photograph here; it covers {100 * area:.1f} % of it. Where is the maximum of "
        f"the map of {TARGET}? On the logo: the middle of its cell lies in the logo's bounding "
        "box; touching it: its cell overlaps the box.",
        "",
        *table(rows),
        "",
    ]


def pixels(
    data: Photographs, plain: Parameters, marked: Parameters, target: int, sample: int
) -> list[str]:
    """The maps beside what hiding the same patch of pixels does, one pass a cell."""
    validation = data.dataset.rows("validation")
    images = validation[:: max(1, len(validation) // sample)][:sample]
    contents = [data.dataset.digests[image] for image in images.tolist()]
    squares = [
        load_pixels(data.dataset.folder / data.dataset.name_of(image), data.image)
        for image in images.tolist()
    ]
    logos = [LOGO(*each) for each in zip(squares, contents, strict=True)]
    rows: list[tuple[str, ...]] = [
        ("photographs", "map", "mean", "median", "lowest", "highest", "on the logo")
    ]
    for what, head, mark, seen in (
        ("as they are", plain, None, squares), ("with the logo", marked, LOGO, logos)
    ):  # fmt: skip
        grids = data.grids(images, mark)
        shape = grids.shape[1:3]
        boxes = [logo_cells(LOGO, IMAGE.size, each, shape) for each in contents]
        targets = answers(head, grids) if mark is None else [target] * len(grids)
        truth = list(pixel_maps(data, head, seen, shape, targets))
        for method in MAPS:
            maps = maps_of(head, grids, method, targets)
            found = correlations(maps, truth)
            numbers = found.mean(), np.median(found), found.min(), found.max()
            rows.append((what, method, *(f"{n:.2f}" for n in numbers), _on(maps, boxes, mark)))
            show(*rows[-1])
        if mark is not None:
            rows.append((what, "of the pixels", "", "", "", "", _on(truth, boxes, mark)))
            show(*rows[-1])
    return [
        "## Occlusion of pixels",
        "",
        f"Rank correlation over the cells of each of {len(images)} photographs with the fall of "
        "the log-odds when the cell's patch of pixels is painted in the photograph's mean colour: "
        f"{np.prod(shape)} passes a photograph more. The photographs as they are, of the class "
        f"that the head answers with; with the logo, of {TARGET}, for the head that has learnt it. "
        "One seed. Of the pixels: the map of what hiding pixels does.",
        "",
        *table(rows),
        "",
    ]


def _on(maps: list[Map], boxes: list[tuple[Map, Map]], mark: Mark | None) -> str:
    return "" if mark is None else f"{100 * Pointing.of(maps, boxes).on:.0f} %"


def pixel_maps(
    data: Photographs, head: Parameters, squares: list[Any], shape: Any, targets: list[int]
) -> Iterator[Map]:
    """By how much the log-odds fall when the patch of pixels of each cell is hidden."""
    size = data.image.size
    down, across = (np.rint(np.arange(count + 1) * size / count).astype(int) for count in shape)
    with compile_backbone(data.spec, data.weights, size) as backbone:
        for whole, target in zip(squares, targets, strict=True):
            views = [whole]
            for top, bottom in pairwise(down):
                for left, right in pairwise(across):
                    hidden = whole.copy()
                    hidden[top:bottom, left:right] = np.rint(whole.mean(axis=(0, 1)))
                    views.append(hidden)
            parts = [
                (n, np.stack(views[n : n + backbone.batch]))
                for n in range(0, len(views), backbone.batch)
            ]
            found = dict(backbone.run(parts))
            odds = log_odds(forward(head, np.concatenate([found[n] for n, _ in parts])), target)
            yield (odds[0] - odds[1:]).reshape(shape)


if __name__ == "__main__":
    main()
