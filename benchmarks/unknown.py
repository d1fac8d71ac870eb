"""Which score tells images of other things from images of the classes that a model knows?

    python -m benchmarks unknown      half an hour on two cores

Two kinds of strangers, for each backbone: photographs of a class that was left out of training,
each class in turn; and pictures that are no clothing, which are drawn or cut here. Known images
are the validation images of the classes that were trained on.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Int64
from scipy.stats import t as student
from sklearn.metrics import roc_auc_score

from benchmarks.machine import parser, photographs, show, table, write_result
from benchmarks.parts.strangers import strangers
from benchmarks.parts.unlike_scores import SCORES, Fitted
from manyheads.backbones import registry
from manyheads.backbones.weights import resolve
from manyheads.data.data_settings import ImageSettings
from manyheads.data.dataset import Dataset, open_dataset
from manyheads.features.extraction import extract
from manyheads.heads.bank import HeadSettings, engine_named, train_bank
from manyheads.heads.fold import Fold
from manyheads.heads.head import Parameters, forward
from manyheads.heads.hyperparameters import Hyperparameters

BACKBONES = (("xception", 150), ("efficientnet_lite0", 224))
RATE = 0.05
PAIR = ("5th nearest of 2,000", "largest probability")
SEEDS = 1
EACH = 60  # pictures of a kind that are drawn here
HALVES = 200  # random halves of the validation images


class Set(NamedTuple):
    """Features of the photographs, and of pictures that are none, by kind."""

    name: str
    classes: tuple[str, ...]
    train: Float32[np.ndarray, "images features"]
    train_labels: Int64[np.ndarray, "images"]
    known: Float32[np.ndarray, "images features"]
    known_labels: Int64[np.ndarray, "images"]
    others: Mapping[str, Float32[np.ndarray, "images features"]]


class Told(NamedTuple):
    """How well strangers are told: AUROC, and the share of them that is missed at 5 % alarms."""

    auroc: float
    missed: float


def main() -> None:
    options = parser("Scores that tell images of other things.")
    options.add_argument("--pictures", type=Path, help="a folder of more pictures, no clothing")
    options.add_argument("--backbones", nargs="*", help="some of those that are compared")
    args = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = strangers(Path(folder), 20 if args.quick else EACH, args.pictures)
        lines = ["Pictures that are no clothing:", ""]
        lines += [f"- {kind}: {len(files)}" for kind, files in found.items()]
        for backbone, size in BACKBONES[: 1 if args.quick else None]:
            if args.backbones and backbone not in args.backbones:
                continue
            lines += judged(loaded(photographs(args.data, real=True), found, backbone, size))
    write_result(args.results, "unknown", lines)


def loaded(data: Path, others: Mapping[str, list[Path]], backbone: str, size: int) -> Set:
    """The features of one backbone, from the cache or extracted now."""
    spec, image = registry.get(backbone), ImageSettings(size=size, interpolation="bicubic")
    weights = resolve(spec)

    def features(dataset: Dataset) -> Float32[np.ndarray, "images features"]:
        made = extract(dataset, spec, weights, image)
        return np.asarray(made.matrix[made.rows], np.float32)

    dataset = open_dataset(data)
    matrix = features(dataset)
    train, known = dataset.rows("train"), dataset.rows("validation")
    kinds: dict[str, Float32[np.ndarray, "images features"]] = {}
    for kind, files in others.items():
        with tempfile.TemporaryDirectory() as folder:
            manifest = Path(folder) / "all.csv"
            rows = [f'"{file}",{"ab"[n % 2]},train' for n, file in enumerate(files)]
            manifest.write_text("\n".join(["path,label,split", *rows]), encoding="utf-8")
            kinds[kind] = features(open_dataset(manifest))
    return Set(
        f"{backbone}, {size}²", dataset.classes, matrix[train], dataset.labels[train],
        matrix[known], dataset.labels[known], kinds,
    )  # fmt: skip


def judged(data: Set) -> list[str]:
    """The tables of one backbone."""
    show(data.name)
    everything = list(range(len(data.classes)))
    divisions = [[c for c in everything if c != left_out] for left_out in everything]
    divisions.append(everything)
    heads = trained(data, divisions)
    lines: list[str] = []
    *by_class, whole = [fitted(data, kept, heads[place]) for place, kept in enumerate(divisions)]
    near: dict[str, list[Told]] = {name: [] for name in SCORES}
    pairs: list[float] = []
    for left_out, (model, head) in enumerate(by_class):
        known = data.known[data.known_labels != left_out]
        out = np.concatenate([
            data.train[data.train_labels == left_out], data.known[data.known_labels == left_out]
        ])  # fmt: skip
        found = {
            name: [score(model, each, head(each)) for each in (known, out)]
            for name, score in SCORES.items()
        }
        for name, both in found.items():
            near[name].append(told(*both))
        pairs.append(missed_by_both([found[name] for name in PAIR]))
        show(data.classes[left_out], *(f"{near[name][-1].auroc:.3f}" for name in SCORES))
    model, head = whole
    far: dict[str, dict[str, Told]] = {}
    seconds: dict[str, float] = {}
    known_scores: dict[str, np.ndarray] = {}
    for name, score in SCORES.items():
        known_scores[name] = score(model, data.known, head(data.known))
        started = time.perf_counter()
        far[name] = {
            kind: told(known_scores[name], score(model, each, head(each)))
            for kind, each in data.others.items()
        }
        seconds[name] = time.perf_counter() - started
    count = sum(map(len, data.others.values()))
    lines += ["", f"## {data.name}, {data.train.shape[1]:,} features", ""]
    head_row = ["score", "class left out: AUROC", "missed at 5 %", "no clothing: AUROC",
                "missed at 5 %", "worst kind", "realised alarms", "ms per image"]  # fmt: skip
    rows: list[Sequence[object]] = [head_row]
    for name in SCORES:
        worst = max(far[name], key=lambda kind, name=name: far[name][kind].missed)
        rows.append([
            name,
            over([each.auroc for each in near[name]], "{:.3f}", 1),
            over([each.missed for each in near[name]], "{:.0f}", 100),
            f"{np.mean([each.auroc for each in far[name].values()]):.3f}",
            f"{100 * np.mean([each.missed for each in far[name].values()]):.1f}",
            f"{worst}: {100 * far[name][worst].missed:.0f} %",
            f"{100 * realised(known_scores[name]):.1f} %",
            f"{1000 * seconds[name] / count:.2f}",
        ])  # fmt: skip
    lines += table(rows)
    best = PAIR[0]
    lines += [
        "",
        f"Of a class left out {' and '.join(PAIR).lower()} together, each at 2.5 %, miss "
        f"{over(pairs, '{:.0f}', 100)} %.",
    ]
    lines += ["", f"Differences in AUROC from {best}, class left out, paired by class:", ""]
    lines += [
        f"- {name}: "
        + over([a.auroc - b.auroc for a, b in zip(near[name], near[best], strict=True)],
               "{:+.3f}", 1)
        for name in SCORES if name != best
    ]  # fmt: skip
    lines += ["", f"Missed at 5 % by class left out, {best} and the largest probability:", ""]
    lines += [
        f"- {name}: {100 * near[best][place].missed:.0f} % and "
        f"{100 * near['largest probability'][place].missed:.0f} %"
        for place, name in enumerate(data.classes)
    ]
    return lines


def trained(data: Set, divisions: Sequence[Sequence[int]]) -> list[list[Parameters]]:
    """The lesson's head, trained on the classes of each division, with several seeds."""
    setting = Hyperparameters(size_inner=100, droprate=0.5, learning_rate=0.001, epochs=20)
    folds = []
    for kept in divisions:
        rows = np.flatnonzero(np.isin(data.train_labels, kept))
        own = np.searchsorted(kept, data.train_labels[rows])
        few = rows[:1]
        folds.append(Fold(data.train, rows, own, few, own[:1], len(kept)))
    heads = [
        HeadSettings(hyperparameters=setting, seed=seed, fold=fold, epochs=setting.epochs)
        for fold in range(len(folds)) for seed in range(SEEDS)
    ]  # fmt: skip
    found: list[list[Parameters]] = [[] for _ in folds]
    for end, _ in train_bank(engine_named("fused"), heads, folds, rule="last"):
        assert end.parameters is not None
        found[heads[end.head].fold].append(end.parameters)
    return found


def fitted(data: Set, kept: Sequence[int], heads: Sequence[Parameters]):
    """What scores are fitted to, and the mean logits of the heads."""

    def logits(features: Float32[np.ndarray, "images features"]) -> np.ndarray:
        return np.mean([forward(head, features) for head in heads], axis=0)

    rows = np.flatnonzero(np.isin(data.train_labels, kept))
    own = data.train[rows]
    return Fitted(own, data.train_labels[rows], logits(own)), logits


def told(known: np.ndarray, strangers_: np.ndarray) -> Told:
    """How well strangers are told; the threshold is the conformal one of all known images."""
    truth = np.repeat([0, 1], [len(known), len(strangers_)])
    auroc = roc_auc_score(truth, np.concatenate([known, strangers_]))
    return Told(float(auroc), float((strangers_ <= threshold(known)).mean()))


def missed_by_both(scores: Sequence[Sequence[np.ndarray]]) -> float:
    """The share of strangers that no score tells, each at its part of the rate."""
    rate = RATE / len(scores)
    return float(np.all([out <= threshold(known, rate) for known, out in scores], axis=0).mean())


def threshold(known: np.ndarray, rate: float = RATE) -> float:
    """The ⌈(n + 1)(1 − rate)⌉-th smallest score: what lies above is called unknown."""
    place = int(np.ceil((len(known) + 1) * (1 - rate)))
    return float(np.sort(known)[min(place, len(known)) - 1])


def realised(known: np.ndarray) -> float:
    """The share of one half of the known images that lies above the other half's threshold."""
    random = np.random.default_rng(0)
    found = []
    for _ in range(HALVES):
        order = random.permutation(known)
        half = len(order) // 2
        found.append((order[half:] > threshold(order[:half])).mean())
    return float(np.mean(found))


def over(values: Sequence[float], form: str, times: float) -> str:
    """The mean over classes, with its 95 % interval by Student's t."""
    each = times * np.array(values)
    half = student.ppf(0.975, len(each) - 1) * each.std(ddof=1) / np.sqrt(len(each))
    low, high = form.format(each.mean() - half), form.format(each.mean() + half)
    return f"{form.format(each.mean())} [{low}, {high}]"


if __name__ == "__main__":
    main()
