"""Which backbone and which image size tell the lesson's photographs apart best, and at what cost?

    python -m benchmarks backbones                      half an hour on two cores, features included
    python -m benchmarks.backbones --backbone xception hf:ORG/NAME --image-size 224 299

One study: a head of 100 units with a droprate of 0.5 on each backbone at each size, in five folds,
with five seeds. Intervals are for images and seeds drawn anew. Images per second are those of the
last extraction here, from files to features.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.machine import parser, photographs, table, write_result
from manyheads import Study
from manyheads.core.text import NOTHING, interval
from manyheads.findings.backbone_scores import BackboneScore, cost_cells
from manyheads.findings.study_findings import Findings, read_findings
from manyheads.findings.wording import difference_words
from manyheads.stats.intervals import Estimate
from manyheads.stats.paired import mean_score
from manyheads.study.folder import RunFolder

BACKBONES = ("xception", "efficientnet_lite0", "efficientnet_lite2")
SIZES = (150, 224, 299)
SEEDS, FOLDS = 5, 5


def main() -> None:
    options = parser("Backbones and image sizes on the lesson's photographs.")
    options.add_argument("--backbone", nargs="+", default=BACKBONES)
    options.add_argument("--image-size", nargs="+", type=int, default=SIZES)
    options.add_argument(
        "--own-size", action="store_true", help="each backbone at the size it was trained at"
    )
    args = options.parse_args()
    sizes = None if args.own_size else [150] if args.quick else list(args.image_size)
    with tempfile.TemporaryDirectory() as folder:
        study = Study(
            photographs(args.data, real=True),
            backbone=list(args.backbone),
            image_size=sizes,
            droprate=0.5,
            seeds=2 if args.quick else SEEDS,
            folds=FOLDS,
            out=Path(folder, "run"),
        ).run()
        findings = read_findings(RunFolder(study.path))
        lines = [*report(findings), "", *map(str, findings.backbones.sentences)]  # pyright: ignore[reportOptionalMemberAccess]
    write_result(args.results, "backbones", lines)


def report(findings: Findings) -> list[str]:
    """A row for each backbone at each size, the most accurate first."""
    assert findings.backbones is not None
    head = "backbone", "image size", "accuracy [95 %]", "log loss [95 %]"
    head += "below the selected, points", "images/s", "MB", "GFLOP per image"
    return table([head, *(_row(findings, each) for each in findings.backbones.scores)])


def _row(findings: Findings, score: BackboneScore) -> tuple[object, ...]:
    below = "selected"
    if score.standing != "selected":
        found = Estimate(score.difference, score.low, score.high)
        below = difference_words("accuracy", found, unit=False)
    scores = (_score(findings, score.candidate, metric) for metric in ("accuracy", "log_loss"))
    return score.name, score.image_size, *scores, below, *cost_cells(score.cost)


def _score(findings: Findings, candidate: int, metric: str) -> str:
    """The mean over seeds and images, with its interval for others of both."""
    differences = findings.differences
    seeds = differences.validated.seeds_of(candidate)
    found = mean_score(differences.sums(candidate, metric)[seeds], differences.layout)
    if found.low is None or found.high is None:
        return NOTHING
    return interval(found.value, found.low, found.high)


if __name__ == "__main__":
    main()
