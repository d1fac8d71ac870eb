"""What a page tells of a model: what it was trained on, and what to expect of it.

A model's file knows its card alone. A run folder knows the images too, the scores with their
intervals, and what it costs to answer only when sure; these come from its records, and nothing is
trained or computed again from images.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from manyheads.backbones import hub, registry
from manyheads.backbones.backbone_catalogue import licence_of
from manyheads.core.label_sets import LabelSets
from manyheads.core.text import counted
from manyheads.errors import ManyheadsError
from manyheads.findings.test_log import parameters_digest, read_test_log, repeat_warning
from manyheads.models.card import ModelCard
from manyheads.models.classifier import Classifier
from manyheads.run.fit.fit_record import FILE, read_fit
from manyheads.stats.confidence import RiskCoverage
from manyheads.study.folder import RunFolder
from manyheads.study.image_list import kept_images
from manyheads.web.service.held_out_answers import HeldOutAnswers, of_fit, of_study

THRESHOLDS = 101  # of confidence, evenly from 0 to 1, at which the cost of abstaining is told
_FEW = 100  # held-out images, below which scores are rough
_FEW_OF_CLASS = 10
_PATH = re.compile(r"(?:(?<=^)|(?<=[\s'\"(]))(?:~|/|[A-Za-z]:[\\/])[^\s'\",;)]*[\\/]")
_DAMAGED = (ManyheadsError, OSError, sqlite3.Error, ValueError, KeyError, TypeError, IndexError)


def about(name: str, path: str | Path, classifier: Classifier) -> dict[str, Any]:
    """What is known of the model at `path`, a run folder or a file, as plain data for JSON.

    `name` and `classes` are always there; every other key only where it is known. Scores are
    `{value, low, high}`, accuracies in [0, 1] and log losses in nats; `risk` lists what follows
    from answering only from a `threshold` of confidence on: the share of held-out images that is
    answered (`coverage`) and the share of these that is wrong (`error`; None of no image). Where an
    image may have several labels, `classes` are labels, `thresholds` are theirs, an answer with
    any wrong label is wrong, and `labels` has their scores in the place of `recalls`. No text
    holds an absolute path. Records that cannot be read are told in `warnings`.
    """
    found = {"name": name, "classes": list(classifier.classes), **_of_card(classifier.card)}
    warnings: list[str] = []
    folder = _run_folder(Path(path))
    if folder is not None:
        try:
            found |= _of_run(folder, classifier.card, warnings)
        except _DAMAGED as error:
            why = str(error) if isinstance(error, ManyheadsError) else type(error).__name__
            warnings.append(f"The records of the run could not be read: {why}")
    if warnings:
        found["warnings"] = [_without_paths(each) for each in warnings]
    return found


def _run_folder(path: Path) -> RunFolder | None:
    """The run folder that a model belongs to: itself, or the one whose best model it is."""
    if path.is_dir():
        return RunFolder(path)
    parent = RunFolder(path.parent)
    has_records = parent.settings.is_file() or (parent.path / FILE).is_file()
    return parent if path in parent.models and has_records else None


def _of_card(card: ModelCard) -> dict[str, Any]:
    found: dict[str, Any] = {"data": {"name": _last(card.data)}}
    if card.thresholds is not None:
        found["thresholds"] = list(card.thresholds)
    if card.backbone != registry.NO_BACKBONE.name:
        found["backbone"] = "+".join(map(_last, card.backbone.split("+")))
        found["image"] = {"size": card.image.size, "words": card.image.words}
        if licence := _licence(card):
            found["licence"] = licence
    if expected := _expected_by_card(card.selected):
        found["expect"] = expected
    return found


def _expected_by_card(selected: Mapping[str, Any]) -> dict[str, Any] | None:
    """The scores that the side file of a model tells, without those of its study."""
    if "expected_accuracy" in selected:
        low, high = (selected.get(f"expected_accuracy_{end}") for end in ("low", "high"))
        return {
            "accuracy": _score(selected["expected_accuracy"], low, high),
            "log_loss": _score(selected.get("expected_log_loss")),
            "on": "images that were left out of training",
        }
    for before, on in (
        ("", "the validation images that also selected it, so expect less on new ones"),
        ("folds_mean_", "images of the folds that also selected it, so expect less on new ones"),
    ):
        if f"{before}val_accuracy" in selected:
            return {
                "accuracy": _score(selected[f"{before}val_accuracy"]),
                "log_loss": _score(selected.get(f"{before}val_loss")),
                "on": on,
            }
    return None


def _of_run(folder: RunFolder, card: ModelCard, warnings: list[str]) -> dict[str, Any]:
    fitted = read_fit(folder.path)
    held_out = of_study(folder) if fitted is None else of_fit(folder, fitted)
    data = _data(folder, card, held_out)
    found: dict[str, Any] = {"data": data, "expect": held_out.expect}
    made = {"date": held_out.ended[:10], "version": held_out.versions.get("manyheads", "")}
    found["made"] = {key: value for key, value in made.items() if value}
    if held_out.risk is not None:
        found |= {"risk": list(_risk(held_out.risk)), "risk_on": held_out.risk_on}
        found |= {"risk_by": held_out.risk_by} if held_out.risk_by else {}
    if held_out.recalls:
        found["recalls"] = [
            {"class": each.name, "images": each.images}
            | ({} if each.recall is None else _score(*vars(each.recall).values()))
            for each in held_out.recalls
        ]
    if held_out.labels is not None:
        found["labels"] = [
            {"label": each.label, "images": each.positives}
            | {
                name: _score(*vars(score).values())
                for name, score in (
                    ("average_precision", each.average_precision), ("f1", each.f1)
                )
                if score is not None
            }
            for each in held_out.labels.labels
        ]  # fmt: skip
    with suppress(ManyheadsError):  # a log of another version
        entries = [e for e in read_test_log(folder) if e.model.parameters == _head(held_out)]
        if entries:
            scores = entries[-1].measured
            found["test"] = {
                "images": scores.images,
                "date": entries[-1].evaluated_at[:10],
                "accuracy": _score(*vars(scores.accuracy).values()),
                "log_loss": _score(*vars(scores.log_loss).values()),
            }
        if repeated := repeat_warning(folder):
            warnings.append(repeated)
    # How long the making of it took is nothing to who uses it.
    remarks = [each for each in held_out.remarks if "longer than the budget" not in each]
    warnings += [*_limits(held_out), *remarks]
    return found


def _head(held_out: HeldOutAnswers) -> str | None:
    return None if held_out.head is None else parameters_digest(held_out.head)


def _data(folder: RunFolder, card: ModelCard, held_out: HeldOutAnswers) -> dict[str, Any]:
    """The images of a study: how many of each class, or label, in each split.

    Those that were divided into folds are told together: each has trained and validated.
    """
    found: dict[str, Any] = {"name": _last(held_out.data)}
    listed, folds = kept_images(folder), held_out.folds
    if listed is None:
        return found
    sets = LabelSets.of(card.classes if card.several_labels else (), listed.labels.names)
    names, splits = listed.labels.names if sets is None else sets.labels, {}
    pool = [] if folds is None else ["train", "validation"]
    groups = {f"in {folds} folds": pool} if pool else {}
    groups |= {split: [split] for split in listed.splits.names if split not in pool}
    for split, parts in groups.items():
        codes = np.concatenate([listed.labels.codes[listed.splits.where(each)] for each in parts])
        if len(codes):
            known = codes[codes >= 0]
            counts = np.bincount(known, minlength=len(names)) if sets is None else (
                sets.positives(known.astype(np.int64))
            )  # fmt: skip
            splits[split] = {
                "images": len(codes),
                "classes": dict(zip(names, counts.tolist(), strict=True)),
            }
    return found | {"images": len(listed.labels), "splits": splits}


def _risk(curve: RiskCoverage) -> Iterator[dict[str, Any]]:
    """The curve at even thresholds; of those alike only the highest, so that it stays exact.

    What holds at a threshold is told by the first of these that is not below it.
    """
    former: dict[str, Any] | None = None
    for threshold in np.linspace(0, 1, THRESHOLDS).round(2).tolist():
        # Thresholds of the curve fall: answered are all that are at least as sure.
        answered = int((curve.threshold >= threshold).sum())
        point = {
            "threshold": threshold,
            "coverage": float(curve.coverage[answered - 1]) if answered else 0.0,
            "error": float(curve.risk[answered - 1]) if answered else None,
        }
        if former and former["coverage"] != point["coverage"]:
            yield former
        former = point
    if former:
        yield former


def _limits(held_out: HeldOutAnswers) -> Iterator[str]:
    """What makes the scores rough."""
    images = sum(each.images for each in held_out.recalls)
    few = [each.name for each in held_out.recalls if each.images < _FEW_OF_CLASS]
    if held_out.labels is not None:
        images = held_out.labels.images
        few = [each.label for each in held_out.labels.labels if each.positives < _FEW_OF_CLASS]
    if 0 < images < _FEW:
        yield f"All scores are of {counted(images, 'image')} only, so they are rough."
    if few and images >= _FEW:
        more = f" and {len(few) - 3:,} more" if len(few) > 3 else ""
        yield (
            f"Hardly anything is known of {', '.join(few[:3])}{more}: "
            f"fewer than {_FEW_OF_CLASS} images of each were held out."
        )


def _licence(card: ModelCard) -> str | None:
    """The licences of the backbone's weights, as far as they are known here."""
    found: list[str] = []
    with suppress(ManyheadsError):
        for spec in registry.from_card(card.backbone, card.preprocessing).parts:
            stated = licence_of(spec)
            if stated is None and hub.is_hub(spec.name):
                known = hub.known_repository(hub.HubName.of(spec.name))
                stated = known.licence if known and known.licence != "unknown" else None
            found += [] if stated is None or stated in found else [stated]
    return ", ".join(found) or None


def _score(value: Any, low: Any = None, high: Any = None) -> dict[str, float | None]:
    def number(given: Any) -> float | None:
        plain = None if given is None else float(given)
        return plain if plain is not None and np.isfinite(plain) else None

    return {"value": number(value), "low": number(low), "high": number(high)}


def _last(text: str) -> str:
    """The last part of a path; a name that is none, such as hf:org/name@commit, as it is."""
    if hub.is_hub(text) or (":" in text and "://" not in text and not _PATH.match(text)):
        return text
    return re.split(r"[\\/]", text.rstrip("\\/"))[-1]


def _without_paths(text: str) -> str:
    """`text` with only the last part of each absolute path in it."""
    return _PATH.sub("", text)
