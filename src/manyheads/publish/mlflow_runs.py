"""A study as MLflow's runs: one of the whole, and one below it for each candidate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from manyheads.core.settings import digest
from manyheads.publish.publication import Publication, PublishedRow, RowState

STUDY_TAG, ROW_TAG, CONTENT_TAG = "manyheads.study", "manyheads.row", "manyheads.content"
WHOLE = "study"
_STATUS: Mapping[RowState, str] = {"done": "FINISHED", "pruned": "KILLED", "failed": "FAILED"}
_LONGEST_NAME = 250  # letters


@dataclass(frozen=True, kw_only=True)
class MlflowRun:
    """A run as MLflow keeps it; `metrics` are triples of name, value and step.

    `run_id` follows from the study and the row, so that a run is found again. `moment` is in
    milliseconds since 1970.
    """

    run_id: str
    row: str
    name: str
    status: str
    moment: int
    params: Mapping[str, str]
    metrics: tuple[tuple[str, float, int], ...]
    tags: Mapping[str, str]

    @property
    def content(self) -> str:
        """The digest of what it was published with."""
        return self.tags[CONTENT_TAG]


def whole_run(publication: Publication, experiment: str) -> MlflowRun:
    """The run of a study or a fit as a whole."""
    tags = {"mlflow.note.content": publication.text, "mlflow.source.name": "manyheads publish"}
    return MlflowRun(
        run_id=_run_id(publication, experiment, WHOLE),
        row=WHOLE,
        name=publication.name[:_LONGEST_NAME],
        status="FINISHED",
        moment=round(1000 * publication.ended),
        params={name: str(value) for name, value in publication.parameters.items()},
        metrics=tuple((name, value, 0) for name, value in publication.metrics.items()),
        tags={**tags, **_tags(publication, WHOLE, publication.content)},
    )


def row_runs(publication: Publication, experiment: str, parent: str) -> Iterator[MlflowRun]:
    """The runs of its rows, below the run `parent`."""
    for row in publication.rows:
        yield MlflowRun(
            run_id=_run_id(publication, experiment, row.key),
            row=row.key,
            name=row.name[:_LONGEST_NAME] or row.key,
            status=_STATUS[row.state],
            moment=round(1000 * publication.ended),
            params={name: str(value) for name, value in row.parameters.items()},
            metrics=tuple(_metrics(row)),
            tags={
                **_tags(publication, row.key, row.content),
                "mlflow.parentRunId": parent,
                "manyheads.candidate": str(row.number),
            },
        )


def _metrics(row: PublishedRow) -> Iterator[tuple[str, float, int]]:
    for name, value in row.metrics.items():
        yield name, value, 0
    for name, curve in row.curves.items():
        for epoch, value in enumerate(curve, start=1):
            yield name, value, epoch


def _tags(publication: Publication, row: str, content: str) -> dict[str, str]:
    return {
        **{f"manyheads.{name}": value for name, value in publication.tags.items()},
        STUDY_TAG: publication.key,
        ROW_TAG: row,
        CONTENT_TAG: content,
    }


def _run_id(publication: Publication, experiment: str, row: str) -> str:
    return digest([publication.key, experiment, row])[:32]
