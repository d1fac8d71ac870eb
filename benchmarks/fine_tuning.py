"""Does training the last block of the backbone help, and can `compare` tell?

    python -m benchmarks fine_tuning      ten minutes on two quiet cores

The lesson's photographs at 150 pixels, of the training images so many of each class. The study's
best head on Xception, and the same model after some epochs of plain Keras in which the last block
is trained as well, from that head. Both classify the 341 validation photographs.
"""

from __future__ import annotations

import itertools
import shutil
import tempfile
from pathlib import Path

from benchmarks.machine import parser, part, photographs, show, table, write_result
from manyheads import Study, compare_predictions
from manyheads.core.text import p_value
from manyheads.findings.wording import difference_words


def main() -> None:
    options = parser("Fine-tuning in plain Keras, judged by compare.")
    options.add_argument("--images", type=int, default=40, help="training images of each class")
    options.add_argument("--epochs", type=int, default=4)
    options.add_argument("--rate", type=float, nargs="+", default=[1e-4])
    options.add_argument("--seeds", type=int, default=1)
    args = options.parse_args()
    seeds = 1 if args.quick else args.seeds
    with tempfile.TemporaryDirectory() as folder:
        data = subset(photographs(args.data, real=True), Path(folder, "data"), args.images)
        run = Path(folder, "run")
        study = Study(
            data, backbone="xception", droprate=0.5, image_size=150, seeds=5, epochs=30, out=run
        ).run()
        model = study.best.export("keras", trainable=True).files[0]
        rows: list[tuple[object, ...]] = [
            ("learning rate", "seed", "metric", "study", "tuned", "tuned − study", "p", "outcome",
             "seconds")
        ]  # fmt: skip
        for rate, seed in itertools.product(args.rate, range(seeds)):
            table_file = Path(folder, "tuned.csv")
            told = part(
                "parts.tuned.tuned", model=str(model), data=str(data), block="block14", rate=rate,
                epochs=args.epochs, seed=seed, target=str(table_file),
            )  # fmt: skip
            for each in compare_predictions(run, table_file).found.scores:
                rows.append((
                    f"{rate:g}", seed, each.metric, f"{each.first:.3f}", f"{each.second:.3f}",
                    difference_words(each.metric, each.estimate), p_value(each.p_holm),
                    each.outcome, f"{told['seconds']:.0f}",
                ))  # fmt: skip
                show(*rows[-1])
    about = (
        f"{args.images} training images of each class, {args.epochs} epochs of Adam on block14 and "
        "the head, from the study's head. Intervals and p are adjusted for both metrics (Holm)."
    )
    write_result(args.results, "fine-tuning", [about, "", *table(rows)])


def subset(data: Path, folder: Path, count: int) -> Path:
    """The validation images, and so many training images of each class: evenly spread names."""
    for name in sorted(entry.name for entry in (data / "train").iterdir() if entry.is_dir()):
        for split, most in (("train", count), ("validation", None)):
            files = sorted((data / split / name).iterdir())
            step = 1 if most is None else max(1, len(files) // most)
            (folder / split / name).mkdir(parents=True)
            for file in files[::step][:most]:
                shutil.copyfile(file, folder / split / name / file.name)
    return folder


if __name__ == "__main__":
    main()
