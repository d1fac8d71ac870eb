"""TensorBoard's event files as bytes: the HParams, scalars and texts of a study.

They are built of TensorBoard's own messages. Its functions that build them import TensorFlow where
that is installed, and then give messages of TensorFlow's.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from manyheads.publish.publication import Publication, PublishedRow, RowState, Value, varying
from manyheads.publish.trackers import library

_LISTED = 50  # words that a filter shows
_STATUS: Mapping[RowState, str] = {
    "done": "STATUS_SUCCESS",
    "pruned": "STATUS_UNKNOWN",
    "failed": "STATUS_FAILURE",
}


class EventFiles:
    """The event files of one study, all of the moment at which it ended."""

    def __init__(self, publication: Publication) -> None:
        self._publication, self._moment = publication, publication.ended
        # What is the same in all rows would fill the first columns: the study's text has it.
        self._varying = varying(publication.rows)
        self._event = library("tensorboard.compat.proto.event_pb2").Event
        self._summary = library("tensorboard.compat.proto.summary_pb2").Summary
        self._metadata = library("tensorboard.compat.proto.summary_pb2").SummaryMetadata
        self._tensor = library("tensorboard.compat.proto.tensor_pb2").TensorProto
        self._string = library("tensorboard.compat.proto.types_pb2").DT_STRING
        self._writer = library("tensorboard.summary.writer.record_writer").RecordWriter
        self._plugin = library("tensorboard.plugins.hparams.plugin_data_pb2")
        self._hparams = library("tensorboard.plugins.hparams.metadata")
        self._api = library("tensorboard.plugins.hparams.api_pb2")
        self._text = library("tensorboard.plugins.text.metadata")

    def of_row(self, row: PublishedRow) -> bytes:
        """A candidate: its hyperparameters, its scores at step 0, its curves by epoch."""
        start = self._plugin.SessionStartInfo(start_time_secs=self._moment, group_name=row.key)
        for name in self._varying.keys() & row.parameters.keys():
            value = row.parameters[name]
            setattr(start.hparams[name], *_field(value))
        status = getattr(self._api, _STATUS[row.state])
        end = self._plugin.SessionEndInfo(status=status, end_time_secs=self._moment)
        steps = {
            0: [
                self._told(self._hparams.SESSION_START_INFO_TAG, session_start_info=start),
                *(self._scalar(name, value) for name, value in row.metrics.items()),
                self._told(self._hparams.SESSION_END_INFO_TAG, session_end_info=end),
            ]
        }
        for name, curve in row.curves.items():
            for epoch, value in enumerate(curve, start=1):
                steps.setdefault(epoch, []).append(self._scalar(name, value))
        return self._bytes(steps)

    def of_study(self) -> bytes:
        """The study: which hyperparameters and metrics there are, its text, its figures."""
        publication = self._publication
        experiment = self._api.Experiment(
            name=publication.label,
            description=publication.text,
            time_created_secs=self._moment,
            hparam_infos=[self._hparam(name, known) for name, known in self._varying.items()],
            metric_infos=[
                self._api.MetricInfo(name=self._api.MetricName(tag=name), display_name=name)
                for name in publication.rows[0].metrics
            ],
        )
        told = {**publication.tags, **publication.parameters}
        rows = ["| setting | value |", "| --- | --- |"]
        rows += [f"| {name} | {_cell(value)} |" for name, value in told.items()]
        table = "\n".join(rows)
        text = self._summary.Value(
            tag="study",
            metadata=self._text.create_summary_metadata("study", ""),
            tensor=self._tensor(
                dtype=self._string, string_val=[f"{publication.text}\n\n{table}".encode()]
            ),
        )
        pictures = [each for each in publication.files if each.suffix == ".png"]
        experiment_value = self._told(self._hparams.EXPERIMENT_TAG, experiment=experiment)
        return self._bytes({0: [experiment_value, text, *map(self._picture, pictures)]})

    def _hparam(self, name: str, values: Sequence[Value]) -> Any:
        info = self._api.HParamInfo(name=name, type=getattr(self._api, _type(values)))
        words = dict.fromkeys(value for value in values if isinstance(value, str))
        if 0 < len(words) <= _LISTED:
            info.domain_discrete.extend(words)
        return info

    def _told(self, tag: str, **data: Any) -> Any:
        version = self._hparams.PLUGIN_DATA_VERSION
        content = self._plugin.HParamsPluginData(version=version, **data)
        kind = self._metadata.PluginData(
            # Maps in order: equal studies have equal bytes.
            plugin_name=self._hparams.PLUGIN_NAME,
            content=content.SerializeToString(deterministic=True),
        )
        metadata = self._metadata(plugin_data=kind)
        return self._summary.Value(tag=tag, metadata=metadata, tensor=self._hparams.NULL_TENSOR)

    def _scalar(self, name: str, value: float) -> Any:
        return self._summary.Value(tag=name, simple_value=value)

    def _picture(self, path: Path) -> Any:
        with Image.open(path) as opened:
            width, height = opened.size
        image = self._summary.Image(
            height=height, width=width, colorspace=3, encoded_image_string=path.read_bytes()
        )
        return self._summary.Value(tag=path.stem, image=image)

    def _bytes(self, steps: Mapping[int, Iterable[Any]]) -> bytes:
        made = io.BytesIO()
        writer = self._writer(made)
        first = self._event(wall_time=self._moment, file_version="brain.Event:2")
        writer.write(first.SerializeToString(deterministic=True))
        for step, values in sorted(steps.items()):
            summary = self._summary(value=values)
            event = self._event(wall_time=self._moment, step=step, summary=summary)
            writer.write(event.SerializeToString(deterministic=True))
        return made.getvalue()


def _field(value: Value) -> tuple[str, Value]:
    """A value and the field of a message that it goes to."""
    if isinstance(value, bool):
        return "bool_value", value
    return ("string_value", value) if isinstance(value, str) else ("number_value", float(value))


def _type(values: Iterable[Value]) -> str:
    """What TensorBoard calls the type of all `values`."""
    kinds = {_field(value)[0] for value in values}
    if kinds == {"number_value"}:
        return "DATA_TYPE_FLOAT64"
    return "DATA_TYPE_BOOL" if kinds == {"bool_value"} else "DATA_TYPE_STRING"


def _cell(value: object) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ")
