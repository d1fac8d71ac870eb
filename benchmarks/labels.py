"""Which wrong labels does `manyheads check --labels` find?

    python -m benchmarks.labels                 five minutes on two cores

Some labels of the photographs are exchanged at random, in memory, and looked for. The photographs
have wrong labels of their own, which count as falsely found here: precision is at least what the
table says. Needs the extra `labels`.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from benchmarks.machine import parser, photographs, show, table, write_result
from manyheads.backbones import registry
from manyheads.backbones.weights import resolve
from manyheads.data.columns import frozen
from manyheads.data.data_settings import ImageSettings
from manyheads.data.dataset import open_dataset
from manyheads.features.extraction import extract
from manyheads.findings.labels import EPOCHS, UNBELIEVED, doubtful, out_of_fold

AT_MOST = (1.0, 0.05, UNBELIEVED, 0.01, 0.005)


def main() -> None:
    options = parser("Exchanged labels that are found.")
    options.add_argument("--share", type=float, default=0.03, help="share of labels to exchange")
    options.add_argument("--draws", type=int, default=3)
    args = options.parse_args()
    dataset = open_dataset(photographs(args.data, real=True))
    spec = registry.get("xception")
    image = ImageSettings(size=150, interpolation="nearest")
    features = extract(dataset, spec, resolve(spec), image)
    classes, count = len(dataset.classes), len(dataset)
    rows: list[list[object]] = [
        ["epochs", "label believed at most", "found", "precision", "recall", "kept labels by 1,000"]
    ]
    for epochs in (EPOCHS,) if args.quick else (3, EPOCHS, 30):
        measured: dict[float, list[tuple[float, ...]]] = {limit: [] for limit in AT_MOST}
        for draw in range(1 if args.quick else args.draws):
            random = np.random.default_rng(draw)
            exchanged = random.random(count) < args.share
            by = np.where(exchanged, random.integers(1, classes, count), 0)
            labels = (dataset.labels + by) % classes
            changed = replace(dataset, labels=frozen(labels))
            probabilities = out_of_fold(changed, features.matrix, features.rows, epochs=epochs)
            for limit in AT_MOST:
                found = exchanged[doubtful(labels, probabilities, limit)]
                measured[limit].append(
                    (len(found), found.mean(), found.sum() / exchanged.sum(), (~found).sum())
                )
        for limit, values in measured.items():
            size, precision, recall, kept = np.mean(values, axis=0)
            rows.append(
                [
                    epochs,
                    "anything" if limit == 1 else f"{100 * limit:g} %",
                    f"{size:.0f}",
                    f"{precision:.2f}",
                    f"{recall:.2f}",
                    f"{1000 * kept / count:.0f}",
                ]
            )
            show(*rows[-1])
    lines = [
        f"Of {count:,} labels, {100 * args.share:g} % were exchanged; means over the draws.",
        "",
        *table(rows),
    ]
    write_result(args.results, "labels", lines)


if __name__ == "__main__":
    main()
