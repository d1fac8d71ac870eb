"""The facts on the first screen of a report, each with what it means."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from manyheads.core.text import clock, counted, decimal, interval, mean_std
from manyheads.data.splits import SPLITS
from manyheads.findings.scores_by_setting import epoch_words
from manyheads.findings.study_findings import Findings
from manyheads.findings.wording import METRIC_WORDS
from manyheads.report.content import Fact
from manyheads.report.parts import Expectation
from manyheads.study.image_list import kept_images
from manyheads.study.run_times import read_times
from manyheads.study.select import MeanDeviation


def study_facts(
    findings: Findings,
    scores: Mapping[str, MeanDeviation],
    expected: Expectation,
    *,
    before: Sequence[Findings] = (),
) -> Iterator[Fact]:
    """The facts of a study; `scores` are those of the selected candidate.

    Models and time are counted together with those of the studies `before` it.
    """
    settings, seeds = findings.settings, findings.validated.seeds()
    over = f"mean of {counted(seeds, 'seed')}" if seeds > 1 else "one seed"
    spread = " ± standard deviation" if seeds > 1 else ""
    when = epoch_words(findings, "accuracy")
    when = when if when.startswith("after") else "at the chosen epochs"
    for name in ("accuracy", "log_loss"):
        if name in scores:
            value = mean_std(scores[name].mean, scores[name].deviation)
            title = f"Validation {METRIC_WORDS[name]}"
            yield Fact(title, value, f"{over}{spread}, {when}")
    for each in expected.scores:
        if each.metric == "accuracy":
            words = interval(each.score, each.low, each.high)
            yield Fact("Expected on new images", words, "accuracy with its 95 % interval")
    yield _majority(findings)
    yield _models([*before, findings])
    yield _data(findings)
    every = [read_times(each.folder) for each in (*before, findings)]
    times = [each for each in every if each is not None]
    if len(times) == len(every):
        more = max(each.runs for each in times) > 1
        runs = f", {sum(each.runs for each in times):,} runs" if more else ""
        ended = f"{times[-1].ended[:16].replace('T', ' ')} UTC"
        seconds = sum(each.seconds for each in times)
        yield Fact("Time", clock(seconds), f"features and training{runs}; ended {ended}")
    settings = settings.on_backbone(settings.place_of(findings.result.ranking[0].candidate))
    version = findings.resolved.versions.get("manyheads", "")
    if version:
        size = f"{settings.image.size}×{settings.image.size} pixels"
        source = "features computed elsewhere" if settings.features else size
        yield Fact("Version", f"manyheads {version}", f"{settings.spec.name}, {source}")


def _majority(findings: Findings) -> Fact:
    """What always naming the most frequent class would score on the validation images."""
    labels, classes = findings.validated.labels, findings.validated.classes
    if (targets := findings.validated.targets) is not None:
        share = targets.mean(axis=0)
        right = float(np.maximum(share, 1 - share).mean())
        return Fact("Baseline accuracy", decimal(right), "of saying of each label what most have")
    counts = np.bincount(labels, minlength=len(classes))
    most, listed = int(counts.argmax()), kept_images(findings.folder)
    if listed is not None and findings.settings.folds is None:
        codes = listed.labels.codes[listed.splits.where("train")]
        trained = np.bincount(codes, minlength=len(listed.labels.names))
        name = listed.labels.names[int(trained.argmax())]
        most = classes.index(name) if name in classes else most
    share = decimal(float(counts[most]) / max(1, len(labels)))
    return Fact("Baseline accuracy", share, f"of always answering {classes[most]}")


def _models(every: Sequence[Findings]) -> Fact:
    """How many heads were trained, and of what that many."""
    settings, tried = every[-1].settings, [each.result.in_order for each in every]
    parts = [counted(sum(map(len, tried)), "setting"), counted(settings.seeds, "seed")]
    if settings.folds is not None:
        parts.append(counted(settings.folds, "fold"))
        repeats = settings.repeats or 1
        parts += [counted(repeats, "repeat")] if repeats > 1 else []
    ended = sum(each.trials for candidates in tried for each in candidates)
    return Fact("Models trained", f"{ended:,}", " × ".join(parts))


def _data(findings: Findings) -> Fact:
    noun = "class" if findings.validated.label_sets is None else "label"
    classes = counted(len(findings.validated.outputs), noun)
    listed = kept_images(findings.folder)
    if listed is None:
        return Fact("Validated on", counted(len(findings.validated.labels), "image"), classes)
    counts = [(split, len(listed.splits.where(split))) for split in SPLITS]
    parts = [classes, *(f"{split} {count:,}" for split, count in counts if count)]
    return Fact("Data", counted(len(listed.labels), "image"), ", ".join(parts))
