"""Which near-duplicates does `manyheads check --similar` find, and how long does it take?

    python -m benchmarks.similar                ten minutes to half an hour on two cores

Changed copies of photographs are put beside the photographs, a kind at a time, and looked for.
What is extracted stays in the cache, so the same again takes a few minutes.
"""

from __future__ import annotations

import csv
import resource
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import answer, gib, parser, part, photographs, show, table, write_result
from benchmarks.planted import KINDS, plant
from manyheads.backbones import registry
from manyheads.backbones.weights import resolve
from manyheads.data.columns import Categorical, Digests
from manyheads.data.data_settings import ImageSettings
from manyheads.data.dataset import Dataset, open_dataset
from manyheads.data.paths import Paths
from manyheads.features.extraction import Features, extract
from manyheads.findings.similar import NEARER, find_similar

SHARES = (0.25, NEARER, 0.4, 0.5)
COSINES = (0.97, 0.95, 0.93, 0.90)
WIDTH = 2048


def main() -> None:
    options = parser("Near-duplicates that are found, and how long that takes.")
    options.add_argument("--planted", type=int, default=150, help="photographs to change")
    options.add_argument("--image-size", type=int, default=150)
    options.add_argument("--sizes", type=int, nargs="*", default=[25_000, 100_000])
    args = options.parse_args()
    source = open_dataset(photographs(args.data, real=True))
    lines: list[str] = []
    for interpolation in ("nearest", "bicubic"):
        image = ImageSettings(size=args.image_size, interpolation=interpolation)
        lines += ["", f"## Xception, {image.size} × {image.size}, {interpolation}", ""]
        lines += found_kinds(source, 20 if args.quick else args.planted, image)
    sizes = [2_000] if args.quick else args.sizes
    write_result(args.results, "similar", [*lines[1:], "", "## Time", "", *times(sizes)])


def found_kinds(source: Dataset, count: int, image: ImageSettings) -> list[str]:
    """A table of the share of each kind that is found, by rule."""
    chosen = np.sort(np.random.default_rng(0).permutation(len(source))[:count])
    originals = [source.paths[index] for index in chosen.tolist()]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        plant(originals, folder)
        dataset = _together(source, folder)
        spec = registry.get("xception")
        features = extract(dataset, spec, resolve(spec), image)
        others = _without_planted(dataset, features)
        head = ["counted as nearly identical", "pairs of photographs by 1,000", *KINDS]
        rows: list[list[object]] = [[*head]]
        partners = {f"{number:04d}.jpg": path for number, path in enumerate(originals)}
        for share in SHARES:
            real = find_similar(*others, nearer=share).found
            shares = [_recall(dataset, features, kind, partners, share) for kind in KINDS]
            rows.append(_row(f"nearer by {share:.2f}", real / len(source), shares))
            show(*rows[-1])
        rows += _by_cosine(dataset, features, partners)
        return table(rows)


def _together(source: Dataset, folder: Path) -> Dataset:
    """The photographs and everything that was planted below `folder`, as one data set."""
    manifest = folder / "all.csv"
    with manifest.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "label", "split"])
        writer.writerows([path, "photograph", "train"] for path in source.paths)
        for kind in KINDS:
            writer.writerows([path, kind, "train"] for path in sorted((folder / kind).iterdir()))
    return open_dataset(manifest)


def _chosen(dataset: Dataset, features: Features, kinds: set[str]) -> tuple[Dataset, Features]:
    """The photographs, and what was planted of some kinds."""
    wanted = np.array([name in kinds or name == "photograph" for name in dataset.classes])
    kept = wanted[dataset.labels]
    bad = np.flatnonzero(~kept).tolist()
    return dataset.without(bad), replace(features, rows=features.rows[kept])


def _without_planted(dataset: Dataset, features: Features) -> tuple[Dataset, Features]:
    return _chosen(dataset, features, set())


def _recall(
    dataset: Dataset, features: Features, kind: str, partners: dict[str, Path], share: float
) -> float:
    found = find_similar(*_chosen(dataset, features, {kind}), nearer=share)
    pairs = {frozenset(pair.names) for pair in found.pairs}
    expected = [frozenset((str(path), f"{kind}/{name}")) for name, path in partners.items()]
    return sum(pair in pairs for pair in expected) / len(expected)


def _by_cosine(
    dataset: Dataset, features: Features, partners: dict[str, Path]
) -> list[list[object]]:
    """The same for a plain threshold of similarity, to compare with."""
    vectors = features.matrix[features.rows]
    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    place = {dataset.name_of(index): index for index in range(len(dataset))}
    real = vectors[dataset.labels == dataset.classes.index("photograph")]
    above = np.triu(real @ real.T, 1)
    own = {
        kind: np.array(
            [
                vectors[place[str(path)]] @ vectors[place[f"{kind}/{name}"]]
                for name, path in partners.items()
            ]
        )
        for kind in KINDS
    }
    return [
        _row(
            f"similarity {least}",
            (above >= least).sum() / len(real),
            [float((cosines >= least).mean()) for cosines in own.values()],
        )
        for least in COSINES
    ]


def _row(rule: str, pairs: float, shares: list[float]) -> list[object]:
    return [rule, f"{1000 * pairs:.1f}", *(f"{100 * share:.0f} %" for share in shares)]


def times(sizes: list[int]) -> list[str]:
    """Seconds and memory to compare so many generated images with each other."""
    rows: list[list[object]] = [["images", "seconds", "memory at its peak, mapped files included"]]
    for size in sizes:
        took = part("similar.compare", size=size)
        rows.append([f"{size:,}", f"{took['seconds']:.0f}", gib(took["peak"])])
        show(*rows[-1])
    return table(rows)


def compare(size: int) -> dict[str, Any]:
    """How long the comparison of `size` images with random features takes."""
    with tempfile.NamedTemporaryFile() as file:
        random = np.random.default_rng(0)
        matrix: Any = np.memmap(file.name, np.float32, "w+", shape=(size, WIDTH))
        for start in range(0, size, 4096):
            part_ = matrix[start : start + 4096]
            part_[:] = np.abs(random.standard_normal(part_.shape, np.float32))
        digests = Digests(random.integers(0, 256, (size, 32), np.uint8))
        dataset = Dataset(
            "generated", Path("/"), "folder", Paths.of(f"/{n}.jpg" for n in range(size)),
            np.zeros(size, np.int64), ("one", "two"),
            Categorical(("train",), np.zeros(size, np.int32)), digests,
        )  # fmt: skip
        features: Any = type("Rows", (), {"matrix": matrix, "rows": np.arange(size)})
        started = time.perf_counter()
        find_similar(dataset, features)
        seconds = time.perf_counter() - started
    peak = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"seconds": seconds, "peak": peak}


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1] == "compare":
        answer({"compare": compare})
    else:
        main()
