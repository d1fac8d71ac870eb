"""Several labels per image: does a division share out each label, and how well is each found?

    python -m benchmarks several_labels      four minutes on two cores, and the extraction

Made-up tables are divided by iterative stratification, as images with several labels are, and by
taking each combination of labels for a class. Then the photographs get labels that follow from
their classes (`LABELS`): which part of the body a garment covers, its length, a collar. A study of
three dropout rates is trained on them, and what it found is told beside logistic regression, which
takes each label for a task of its own. Nothing here sees a test image.
"""

from __future__ import annotations

import csv
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.machine import parser, photographs, table, write_result
from manyheads.backbones import registry
from manyheads.data.columns import Digests
from manyheads.data.data_settings import SplitSettings, TableSettings
from manyheads.data.splits import SPLITS, assign_splits
from manyheads.findings.label_scores import validated_label_scores
from manyheads.findings.score_tables import estimate_words
from manyheads.run.pipeline import Finished, run_study
from manyheads.study.space import Grid
from manyheads.study.study_settings import StudySettings

LABELS = {
    "dress": "lower;upper", "hat": "", "longsleeve": "long;upper", "outwear": "collar;long;upper",
    "pants": "long;lower", "shirt": "collar;upper", "shoes": "", "shorts": "lower;short",
    "skirt": "lower", "t-shirt": "short;upper",
}  # fmt: skip
"""What each class of the photographs is called by several labels."""

MADE_UP = ((200, 6), (1000, 12), (1000, 20))  # images and labels of a table
DROPRATES = (0.0, 0.2, 0.5)


def main() -> None:
    args = parser("Several labels per image: divisions, and a study.").parse_args()
    tables = 3 if args.quick else 40
    lines = [
        *table([_header(), *(_divided(*shape, tables) for shape in MADE_UP)]), "",
        f"{tables} tables each; the validation and test share of each label is compared with 20 % "
        "of its images.", "",
    ]  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        finished = _study(photographs(args.data, real=True), Path(folder), args.quick)
        lines += _found(finished)
    write_result(args.results, "several-labels", lines)


def _header() -> list[object]:
    return [
        "images, labels", "a label off its share, mean (at most), iterative stratification",
        "each combination a class",
    ]  # fmt: skip


def _divided(images: int, labels: int, tables: int) -> list[object]:
    misses: dict[bool, list[float]] = {True: [], False: []}
    for seed in range(tables):
        random = np.random.default_rng(seed)
        shared = random.normal(size=(images, 2))  # labels that come together
        pull = random.normal(size=(2, labels))
        bars = random.uniform(0.5, 2.5, labels)
        members = shared @ pull / 2 + random.normal(size=(images, labels)) > bars
        sets, numbers = np.unique(members, axis=0, return_inverse=True)
        digests = Digests.of(f"{int(value):064x}" for value in random.permutation(images))
        for iterative, of_sets in ((True, sets), (False, None)):
            splits = assign_splits(
                numbers.ravel(), digests, None, SplitSettings(seed=seed), of_sets
            )
            for split in SPLITS[1:]:
                every = members.sum(axis=0)
                own = members[splits.where(split)].sum(axis=0)[every > 0] / every[every > 0]
                misses[iterative] += list(100 * abs(own - 0.2))
    return [
        f"{images:,}, {labels}",
        *(f"{np.mean(each):.1f} ({np.max(each):.1f}) points" for each in misses.values()),
    ]


def garments(clothing: Path, file: Path, every: slice = slice(None)) -> Path:
    """Write a table of the photographs, or of some of them, with the labels of their classes."""
    with file.open("w", newline="", encoding="utf-8") as written:
        rows = csv.writer(written)
        rows.writerow(["path", "labels"])
        for image in sorted(clothing.glob("*/*/*.jpg"))[every]:
            rows.writerow([image, LABELS[image.parent.name]])
    return file


def _study(clothing: Path, folder: Path, quick: bool) -> Finished:
    settings = StudySettings(
        data=str(garments(clothing, folder / "garments.csv")),
        grid=Grid(
            (0.001,), (100,), DROPRATES, epochs=(5 if quick else 30,),
            learning_rate_schedule=("cosine",),
        ),
        image=registry.get("xception").prepared(150),
        table=TableSettings(label_column="labels", label_separator=";"),
        seeds=2 if quick else 10,
        select="best_loss",
    )  # fmt: skip
    return run_study(settings, folder / "run")


def _found(finished: Finished) -> list[str]:
    findings = finished.findings
    assert findings is not None
    scores = validated_label_scores(findings.validated, findings.selected)
    images = len(findings.validated.labels)
    rows: list[list[object]] = [["label", "images", "average precision", "F1", "threshold"]]
    for each in scores.labels:
        found = map(estimate_words, (each.average_precision, each.f1))
        rows.append([each.label, f"{each.positives:,}", *found, f"{each.threshold:.2f}"])
    together: list[list[object]] = [["all labels together", "value [95 %]"]]
    for name, value in scores.scores.items():
        together.append([name.replace("_", " "), estimate_words(value)])
    baselines: list[list[object]] = [["baseline on the same features", "accuracy", "log loss"]]
    known = findings.baselines.scores if findings.baselines else ()
    for each in known:
        loss = "–" if each.log_loss is None else f"{each.log_loss:.3f}"
        baselines.append([each.name, f"{each.accuracy:.3f}", loss])
    return [
        f"The photographs, Xception at 150², dropout rates {DROPRATES}; {images:,} validation "
        f"images of {len(finished.dataset):,}.", "",
        *table(rows), "", *table(together), "", *table(baselines), "",
        *(f"- {sentence}" for sentence in findings.verdict.sentences),
    ]  # fmt: skip


if __name__ == "__main__":
    main()
