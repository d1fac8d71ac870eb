"""Shards of images for workers: each becomes rows of features, which the driver alone stores."""

from __future__ import annotations

import hashlib
import io
import platform
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from manyheads.backbones import exported
from manyheads.backbones.compiled import CompiledBackbone, compile_backbone
from manyheads.backbones.exported import ProgramFiles
from manyheads.backbones.registry import BackboneSpec
from manyheads.backbones.weights import Weights
from manyheads.core.job import SILENT, Job
from manyheads.data.alterations import Alteration
from manyheads.data.data_settings import ImageSettings
from manyheads.data.images import load_pixels
from manyheads.data.remarks import Remarks
from manyheads.data.remote_path import file_path
from manyheads.errors import SettingError
from manyheads.features.shard import fill
from manyheads.features.stage_times import StageTimes
from manyheads.workers.worker_host import worker_name

SHARD = 256  # images, at most
_BYTES = 1 << 26  # of features in a shard's answer, at most
EACH = 4  # shards for each worker, at least, so that they end at about the same time

_compiled: dict[tuple[str, ...], CompiledBackbone] = {}


@dataclass(frozen=True, kw_only=True)
class ShardContext:
    """What all shards of an extraction share.

    `program` is sent to machines that may lack it. The features of the image `sample`, a JPEG file,
    and of a generated one have the digest `probe` where the driver computes them. `file` is one of
    the images, which every worker has to see; "" for none.
    """

    spec: BackboneSpec
    weights: Weights
    image: ImageSettings
    runtime: str
    precision: str
    pooling: str
    alteration: Alteration | None
    program: ProgramFiles | None = None
    sample: bytes = b""
    probe: str = ""
    file: str = ""

    def compiled(self, job: Job = SILENT) -> CompiledBackbone:
        """The backbone, ready to run."""
        return compile_backbone(
            self.spec, self.weights, self.image.size,
            runtime=self.runtime, precision=self.precision, pooling=self.pooling, job=job,
        )  # fmt: skip

    @property
    def key(self) -> tuple[str, ...]:
        """What the compiled backbone depends on."""
        size = f"{self.image.size} {self.spec.preprocessing}"
        how = self.runtime, self.precision, self.pooling
        return (self.spec.name, self.weights.digest, size, *how)


@dataclass(frozen=True)
class ShardFeatures:
    """What a worker made of a shard: row i of `rows` is of the content i.

    `failures` are the reasons of contents that are no images, `unread` of those that could not be
    read this time. `remarks` and `stages` are what `Remarks` and `StageTimes` have counted, and
    `seconds` what the shard took the `worker` on its `node`.
    """

    contents: list[str]
    rows: Float32[np.ndarray, "rows *grid features"]
    failures: dict[str, str]
    unread: dict[str, str]
    remarks: tuple[int, int, int]
    stages: dict[str, float]
    worker: str
    node: str
    seconds: float


@dataclass
class _RowsInMemory:
    """A `FeatureSink` in memory, which knows no content beforehand."""

    contents: list[str] = field(default_factory=list[str])
    parts: list[np.ndarray] = field(default_factory=list[np.ndarray])
    failures: dict[str, str] = field(default_factory=dict[str, str])

    def known(self, contents: Sequence[str]) -> set[str]:
        del contents
        return set()

    def add(
        self, contents: Sequence[str], features: Float32[np.ndarray, "rows *grid features"]
    ) -> None:
        self.contents += contents
        self.parts.append(features)

    def add_failure(self, content: str, reason: str) -> None:
        self.failures[content] = reason


def shard_size(images: int, features: int, batch: int, workers: int) -> int:
    """How many images a shard has: whole batches, at most 256 images and 64 MiB of features."""
    most = min(SHARD, max(1, _BYTES // (4 * features)), -(-images // (EACH * workers)))
    return max(1, -(-most // batch)) * batch


def compute_shard(context: ShardContext, images: dict[str, str]) -> ShardFeatures:
    """The features of `images`, content → path; called in a worker.

    They are those that `fill` stores. Raises what `compile_backbone` raises.
    """
    started = time.perf_counter()
    backbone = _ready(context)
    found, remarks, times = _RowsInMemory(), Remarks(), StageTimes()
    files = {content: file_path(path) for content, path in images.items()}
    unread = fill(
        found, files, backbone, context.image, context.alteration, remarks=remarks, times=times
    )[1]
    rows = np.concatenate(found.parts) if found.parts else np.zeros((0, 0), np.float32)
    return ShardFeatures(
        contents=found.contents,
        rows=rows,
        failures=found.failures,
        unread=unread,
        remarks=remarks.counts,
        stages=times.seconds,
        worker=worker_name(),
        node=platform.node(),
        seconds=time.perf_counter() - started,
    )


def unlike_driver(context: ShardContext) -> str:
    """Why this worker's features would not be the driver's, or ""; called in a worker."""
    if context.file and not Path(context.file).is_file():
        return f"it finds no file at {context.file}"
    if (program := context.program) is not None:
        exported.receive(program)
        known = context.spec, context.weights.digest, context.image.size, context.pooling
        if exported.existing(*known) is None:
            return "its versions of Keras and OpenVINO are others"
    if probe_of(_ready(context), context) != context.probe:
        return "the features of a small image are others there"
    return ""


def with_probe(context: ShardContext, backbone: CompiledBackbone, *, send: bool) -> ShardContext:
    """The context with the features that the driver's `backbone` makes of the sample.

    To `send` its program to other machines, the runtime has to be openvino: raises `SettingError`.
    """
    if send and context.runtime != "openvino":
        raise SettingError(
            "the `runtime` openvino with `workers` on other machines", context.runtime,
            "leave out `runtime`, or use workers of this machine",
        )  # fmt: skip
    program = None
    if send:
        found = context.spec, context.weights, context.image.size
        program = exported.program_files(exported.program(*found, pooling=context.pooling))
    made = replace(context, sample=_sample(), program=program)
    return replace(made, probe=probe_of(backbone, made))


def probe_of(backbone: CompiledBackbone, context: ShardContext) -> str:
    """The digest of the features of the sample and of generated pixels.

    Where photographs are decoded smaller, of the sample at each scale too.
    """
    pixels = load_pixels(context.sample, context.image, "the sample")
    if context.alteration is not None:
        pixels = context.alteration(pixels, hashlib.sha256(context.sample).hexdigest())
    noise = np.random.default_rng(0).integers(0, 256, pixels.shape, np.uint8)
    batch = np.stack([pixels, noise])[: backbone.batch]
    digest = hashlib.sha256()
    if context.image.least_side is not None:
        for size in (32, 64, 128):  # the sample is 8, 4 and 2 times as large as is needed of it
            reduced = replace(context.image, size=size, resize=None)
            digest.update(load_pixels(context.sample, reduced, "the sample").tobytes())
    for _, features in backbone.run([(0, batch)]):
        digest.update(np.ascontiguousarray(features, np.float32).tobytes())
    return digest.hexdigest()


def _sample() -> bytes:
    """A JPEG file of smooth colours and edges, so that decoders and their scaling are compared."""
    from PIL import Image

    rows, columns = np.mgrid[0:512, 0:640]
    channels = [rows // 2, columns // 3, (rows // 40 + columns // 40) % 2 * 255]
    written = io.BytesIO()
    Image.fromarray(np.stack(channels, axis=2).astype(np.uint8)).save(written, "JPEG")
    return written.getvalue()


def _ready(context: ShardContext) -> CompiledBackbone:
    """The backbone of the context, which stays for the next shard, and for the next context."""
    if context.key not in _compiled:
        _compiled.clear()
        _compiled[context.key] = context.compiled()
    return _compiled[context.key]
