"""A model card as Markdown, with the metadata that the Hugging Face hub reads above it.

The layout is that of https://huggingface.co/docs/hub/model-cards: a block of YAML between two lines
of dashes, with the results in the form of `model-index`. Texts are written as JSON, which is YAML.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from manyheads.backbones import preprocessing_modes
from manyheads.core.text import decimal, interval
from manyheads.data.data_settings import ImageSettings
from manyheads.findings.score_tables import estimate_words
from manyheads.findings.wording import METRIC_WORDS
from manyheads.run.hand_over.card_facts import CardFacts, CardScores
from manyheads.run.hand_over.card_usage import usage
from manyheads.stats.intervals import Estimate

_UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class Licences:
    """The licences of the model and of its data, as the user states them; None: not stated."""

    model: str | None = None
    data: str | None = None


def model_card(facts: CardFacts, files: Sequence[str], licences: Licences) -> str:
    """The card of a run's model; `files` are those that it can be opened from, beside the card."""
    parts = [
        f"# {facts.name}",
        f"An image classifier{_several(facts)}: a frozen backbone, on which a small head was "
        f"trained with manyheads {facts.versions.get('manyheads', '')}.",
        _table(("", ""), [
            (
                "labels" if facts.labels else "classes",
                f"{len(facts.classes):,}: {', '.join(facts.classes)}",
            ),
            ("backbone", f"{facts.backbone}, weights: {facts.weights_source}"),
            ("head", facts.head),
        ]),
        "## Data", *_data(facts, licences),
        "## Results", *_results(facts),
        "## How it was selected", *_list(facts.selection),
        "## Limits", *_list(facts.limits),
        "## Licences", *_list([
            f"Backbone: {facts.backbone_licence or 'not known; ask its publisher'}.",
            f"Data: {licences.data or 'not known; ask those who made the images'}.",
            f"This model: {licences.model or 'not stated; the two above may bind it'}.",
        ]),
    ]  # fmt: skip
    if facts.image is not None:
        lines = _preparation(facts.image, facts.preprocessing, pixels=bool(files))
        parts += ["## Preparation of images", *_list(lines)]
    if files:
        parts.append("## Use it")
    for file in files:
        assert facts.image is not None
        parts.append(f"With `{file}`, and `photo.jpg` beside it:")
        code = usage(file, facts.image, several_labels=facts.labels is not None)
        parts.append(f"```python\n{code}```")
    return "\n\n".join(parts) + "\n"


def hub_metadata(facts: CardFacts, library: str, licences: Licences) -> str:
    """The block of YAML that the hub reads."""
    lines = [
        "---",
        f"license: {json.dumps((licences.model or _UNKNOWN).lower())}",
        f"library_name: {library}",
        "pipeline_tag: image-classification",
        "tags:",
        *(
            f"- {json.dumps(each)}"
            for each in ("manyheads", "image-classification", facts.backbone)
        ),
        "metrics:",
        "- accuracy",
        "model-index:",
        f"- name: {json.dumps(facts.name)}",
        "  results:",
        *(line for each in facts.measured for line in _index_entry(facts, each)),
        "---",
    ]
    return "\n".join(lines) + "\n"


def _index_entry(facts: CardFacts, measured: CardScores) -> Iterator[str]:
    yield "  - task:"
    yield "      type: image-classification"
    yield "      name: Image Classification"
    yield "    dataset:"
    yield f"      name: {json.dumps(f'{facts.data}: {measured.on}', ensure_ascii=False)}"
    yield f"      type: {json.dumps(facts.data, ensure_ascii=False)}"
    yield "    metrics:"
    for name, each in _in_order(measured):
        words = METRIC_WORDS[name]
        if each.low is not None and each.high is not None:
            words += f", 95 % interval [{decimal(each.low)}, {decimal(each.high)}]"
        yield f"    - type: {name}"
        yield f"      value: {each.value:.4f}"
        yield f"      name: {json.dumps(words, ensure_ascii=False)}"


def _several(facts: CardFacts) -> str:
    return " of several labels per image" if facts.labels else ""


def _in_order(measured: CardScores) -> Iterator[tuple[str, Estimate]]:
    for name in METRIC_WORDS:
        if name in measured.scores:
            yield name, measured.scores[name]


def _data(facts: CardFacts, licences: Licences) -> Iterator[str]:
    yield f"`{facts.data}`, licence: {licences.data or 'not known'}."
    if facts.counts:
        totals = [sum(each) for each in zip(*facts.counts.values(), strict=True)]
        rows = [(name, *(f"{n:,}" for n in counts)) for name, counts in facts.counts.items()]
        if facts.labels is None:  # an image may be in several rows
            rows.append(("all", *(f"{total:,}" for total in totals)))
        yield _table(("images", *facts.splits), rows)


def _results(facts: CardFacts) -> Iterator[str]:
    for measured in facts.measured:
        yield f"On {measured.on}; 95 % intervals:"
        rows = [
            (METRIC_WORDS[name], interval(each.value, each.low, each.high))
            for name, each in _in_order(measured)
        ]
        yield _table(("score", "value"), rows)
    if facts.labels is not None:
        yield (
            f"By label, on {facts.recalls_on}; a label is said where its probability is above its "
            "threshold:"
        )
        titles = [each.title.replace("\n", " ") for each in facts.labels.table.columns]
        yield _table(titles, facts.labels.table.rows)
        return
    yield f"Recall by class, on {facts.recalls_on}:"
    yield _table(("class", "images", "recall"), [
        (each.name, f"{each.images:,}", estimate_words(each.recall) if each.recall else "–")
        for each in facts.recalls
    ])  # fmt: skip


def _preparation(image: ImageSettings, preprocessing: Sequence[str], *, pixels: bool) -> list[str]:
    lines = [f"{image.size}×{image.size} pixels, RGB, {_resize_words(image)}."]
    lines.append(
        "The orientation that the camera recorded is applied first."
        if image.exif
        else "The orientation that the camera recorded is ignored."
    )
    if (least := image.least_side) is not None:
        lines.append(
            "A JPEG is decoded at 1/2, 1/4 or 1/8 of its size, the smallest whose shorter side has "
            f"at least {least} pixels (in Pillow, draft)."
        )
    network = " and ".join(dict.fromkeys(map(_normalisation_words, preprocessing)))
    lines.append(
        f"The files here take these pixels as uint8, 0 to 255; inside, the network gets {network}."
        if pixels
        else f"The network gets {network}, where x is a pixel of 0 to 255; the file in the run "
        "folder is to be given that, and gives logits, unless its side file says otherwise."
    )
    return lines


def _resize_words(image: ImageSettings) -> str:
    if not image.keeps_proportions:
        return f"each side resized to {image.size} ({image.interpolation})"
    crop = image.shorter_side
    if crop is None:
        return f"the longer side resized to {image.size} ({image.interpolation}), black bars beside"
    return (
        f"the shorter side resized to {crop} ({image.interpolation}), then the middle "
        f"{image.size}×{image.size} cropped"
    )


def _normalisation_words(preprocessing: str) -> str:
    how = preprocessing_modes.parse(preprocessing)
    if how == preprocessing_modes.NAMED["none"]:
        return "x as it is, for its own first layers prepare it"
    mean, std = (", ".join(f"{each:g}" for each in values) for values in (how.mean, how.std))
    order = "BGR" if how.bgr else "RGB"
    return f"(x − mean) / std by channel, {order}: mean {mean}; std {std}"


def _list(lines: Sequence[str]) -> Iterator[str]:
    if lines:
        yield "\n".join(f"- {line}" for line in lines)


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    shown = [titles, ["---", *["---:"] * (len(titles) - 1)] if any(titles) else ["---"] * 2, *rows]
    return "\n".join(f"| {' | '.join(_cell(each) for each in row)} |" for row in shown)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
