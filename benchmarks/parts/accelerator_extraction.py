"""Images to features on an accelerator, beside timm's own rate; part of `accelerator`.

Each runtime is measured in a process of its own on the same generated photographs, which lie in
the page cache. Weights are random: they do not matter to a rate.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.parts.accelerator_rows import ABSENT, Row, call, measured, tell
from manyheads.core.accelerators import has_nvidia_card
from manyheads.core.machine import cores

PART = "extraction"
SECONDS = 240.0  # of all measurements here
BATCH = 256  # of timm, as its own benchmark has it
DISTINCT = 256  # photographs that are encoded; the others are copies with other bytes at the end


class Network(NamedTuple):
    """A backbone here, the image size, and timm's names of the same architecture."""

    backbone: str
    size: int
    timm: tuple[str, ...]


NETWORKS = (
    Network("xception", 150, ("legacy_xception", "xception")),
    Network("efficientnet_b0", 224, ("tf_efficientnet_b0", "efficientnet_b0")),
)


def rows(*, quick: bool = False) -> Iterator[Row]:
    """All rows, one after the other, in at most `SECONDS`."""
    until = time.monotonic() + SECONDS
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        photographs = written_photographs(folder / "photographs", 192 if quick else 8192)
        for each in _measurements(str(photographs), NETWORKS[:1] if quick else NETWORKS):
            seconds = min(each.seconds, until - time.monotonic())
            if seconds < 5:
                yield Row(PART, each.what, "–", "no time left")
                continue
            yield from measured(
                PART, each.what, f"accelerator_extraction.{each.function}", seconds,
                _environment(each.backend, folder), each.arguments,
            )  # fmt: skip


class Measurement(NamedTuple):
    """A child's work: `what` it measures, by which `function`, in how many `seconds` at most."""

    what: str
    function: str
    seconds: float
    backend: str
    arguments: dict[str, Any]


def _measurements(data: str, networks: Sequence[Network]) -> Iterator[Measurement]:
    yield Measurement("machine", "machine", 60, "openvino", {})
    for network in networks:
        what, given = f"decoding to {network.size}", {"data": data, "size": network.size}
        yield Measurement(what, "decoding", 20, "openvino", given)
    first = networks[0]
    for network in networks:
        yield from (_of_ours(data, network, way) for way in ways()[:2])
        yield _of_timm(network)
    yield from (_of_ours(data, first, way) for way in ways()[2:])


def _of_ours(data: str, network: Network, way: Way) -> Measurement:
    what = f"{network.backbone} {network.size}×{network.size}, manyheads, {_words(way)}"
    given = {"data": data, "backbone": network.backbone, "size": network.size}
    seconds = 75 if way.backend == "jax" else 50  # it tries out its kernels first
    return Measurement(what, "ours", seconds, way.backend, given | {"what": what, "how": way.how})


def _of_timm(network: Network) -> Measurement:
    what = f"{network.timm[0]} {network.size}×{network.size}, timm"
    given = {"names": network.timm, "size": network.size}
    return Measurement(what, "timm_rates", 60, "torch", given)


class Way(NamedTuple):
    """One way in which manyheads computes features: Keras's backend, and options of `extract`."""

    backend: str
    how: dict[str, str]


def ways() -> list[Way]:
    """The ways that are measured, the most telling first.

    On a machine without a card, those of a card are measured on the processor.
    """
    on_card: dict[str, str] = {"device": "cuda" if has_nvidia_card() else "cpu"}
    half = {"precision": "bf16"} if has_nvidia_card() else {}
    keras = {"runtime": "keras"} | on_card
    return [
        Way("torch", keras | half),
        Way("jax", keras | half),
        *([Way("torch", keras), Way("jax", keras)] if half else []),
        Way("openvino", {"runtime": "onnxruntime"} | on_card),
        Way("openvino", {"runtime": "openvino", "device": "cpu"}),
        Way("openvino", {"runtime": "openvino", "device": "cpu", "precision": "bf16"}),
    ]


def machine() -> None:
    """What there is: the card, and what each library sees of it."""
    if program := shutil.which("nvidia-smi"):
        query = ["--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
        done = subprocess.run([program, *query], capture_output=True, text=True, check=False)
        tell("card", done.stdout.strip().splitlines()[0] if done.stdout.strip() else "none")
    else:
        tell("card", "none", "no nvidia-smi")
    tell("processor cores", str(cores()))
    for library, sees in _SEES.items():
        if importlib.util.find_spec(library) is None:
            tell(library, ABSENT)
            continue
        try:
            tell(library, *sees())
        except Exception as error:  # a library without its driver may raise anything
            tell(library, "–", f"{type(error).__name__}: {error}"[:160])


def decoding(data: str, size: int) -> None:
    """Images a second that become pixels on one core and on all, as extraction reads them."""
    import hashlib

    from manyheads.data.data_settings import ImageSettings
    from manyheads.data.images import load_pixels

    settings, paths = ImageSettings(size=size), sorted(Path(data).rglob("*.jpg"))

    def decode(path: Path) -> None:
        content = path.read_bytes()
        hashlib.sha256(content).hexdigest()
        load_pixels(content, settings, str(path))

    few = paths[: min(len(paths), 256)]
    decode(few[0])
    one = len(few) / _seconds(lambda: [decode(path) for path in few])
    many = paths[: min(len(paths), 4096)]
    with ThreadPoolExecutor(cores()) as pool:
        all_ = len(many) / _seconds(lambda: list(pool.map(decode, many)))
    tell(f"bound by decoding to {size}×{size}", f"{all_:,.0f} images/s", f"one core {one:,.0f}")


def ours(data: str, backbone: str, size: int, what: str, how: dict[str, Any]) -> None:
    """`extract` from files into an empty cache: whole, and between its first and last batches."""
    backend = os.environ["KERAS_BACKEND"]
    if importlib.util.find_spec(backend) is None:
        tell(what, ABSENT, backend)
        return
    from manyheads.backbones import registry
    from manyheads.backbones.compiled import compile_backbone
    from manyheads.backbones.placement import check_place
    from manyheads.backbones.weights import resolve
    from manyheads.core.job import Event, Job, Progress
    from manyheads.data.data_settings import ImageSettings
    from manyheads.data.dataset import open_dataset
    from manyheads.features.extraction import extract
    from manyheads.features.stage_times import stage_words

    dataset, spec = open_dataset(data), registry.get(backbone)
    weights = resolve(spec, "random:0")
    marks: list[tuple[int, float]] = []

    def mark(event: Event) -> None:
        if isinstance(event, Progress) and event.unit:
            marks.append((event.done, time.perf_counter()))

    check_place(spec, how["runtime"], how["device"], how.get("precision", "f32"))
    found = extract(dataset, spec, weights, ImageSettings(size=size), job=Job(mark), **how)
    # Without the beginning, in which programs are compiled, and the end, where nothing is decoded.
    inner = [each for each in marks if 0.2 <= each[0] / len(dataset) <= 0.95] or marks
    (first, began), (last, ended) = inner[0], inner[-1]
    rate = (last - first) / max(ended - began, 1e-9)
    whole = f"whole {found.passes / found.seconds:,.0f}/s in {found.seconds:.1f} s"
    tell(what, f"{rate:,.0f} images/s", f"from files; {whole}; {stage_words(found.stages)}")
    with compile_backbone(spec, weights, size, images=len(dataset), **how) as compiled:
        batch = np.random.default_rng(0).integers(0, 256, (compiled.batch, size, size, 3), np.uint8)

        def run(times: int) -> None:
            for _ in compiled.run((n, batch) for n in range(times)):
                pass

        run(3)
        times = max(1, round(2.0 / (_seconds(lambda: run(3)) / 3)))
        bare = times * len(batch) / _seconds(lambda: run(times))
    tell(f"{what}, network alone", f"{bare:,.0f} images/s", f"batch {len(batch)}")


def timm_rates(names: list[str], size: int) -> None:
    """timm's inference rate of the same network: one batch on the card, again and again."""
    if importlib.util.find_spec("torch") is None or importlib.util.find_spec("timm") is None:
        tell(f"{names[0]} {size}×{size}, timm", ABSENT, "torch and timm")
        return
    import timm
    import torch

    known = [name for name in names if timm.is_model(name)]
    if not known:
        tell(f"{names[0]} {size}×{size}, timm", "–", "this timm has no such network")
        return
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.backends.cudnn.benchmark = True
    for precision, compiled in (
        ("bf16", True), ("bf16", False), ("tf32", True), ("tf32", False), ("f32", False),
    ):  # fmt: skip
        what = f"{known[0]} {size}×{size}, timm, {precision}{', compiled' if compiled else ''}"
        try:
            rate, note = _timm_rate(known[0], size, device, precision, compiled)
            tell(what, f"{rate:,.0f} images/s", note)
        except Exception as error:  # a compiler may raise anything
            tell(what, "–", f"{type(error).__name__}: {error}".splitlines()[0][:160])


def _timm_rate(
    name: str, size: int, device: Any, precision: str, compiled: bool
) -> tuple[float, str]:
    import timm
    import torch

    exact = precision == "f32"
    torch.backends.cuda.matmul.allow_tf32 = not exact
    torch.backends.cudnn.allow_tf32 = not exact
    kind = torch.bfloat16 if precision == "bf16" else torch.float32
    batch = BATCH if device.type == "cuda" else 8
    network: Any = timm.create_model(name, pretrained=False, num_classes=0).eval()
    network = network.to(device=device, dtype=kind, memory_format=torch.channels_last)
    images = torch.randn((batch, 3, size, size), device=device, dtype=kind)
    images = images.contiguous(memory_format=torch.channels_last)
    started = time.perf_counter()
    if compiled:
        network = torch.compile(network)

    def step() -> None:
        network(images)
        if device.type == "cuda":
            torch.cuda.synchronize()

    with torch.inference_mode():
        for _ in range(10 if device.type == "cuda" else 1):
            step()
        ready = time.perf_counter() - started
        steps = 40 if device.type == "cuda" else 3
        took = _seconds(lambda: [step() for _ in range(steps)])
    return steps * batch / took, f"batch {batch}, channels last, ready after {ready:.0f} s"


def written_photographs(folder: Path, images: int) -> Path:
    """A folder of so many JPEG files of different content, of a photograph's size."""
    from benchmarks.generated import encoded_photograph

    parts = [folder / split / f"class-{n}" for split in ("train", "validation") for n in range(2)]
    for place in parts:
        place.mkdir(parents=True)
    distinct = min(images, DISTINCT)
    with ThreadPoolExecutor(cores()) as pool:
        kept = list(pool.map(encoded_photograph, range(distinct)))
    for number in range(images):
        file = parts[number % len(parts)] / f"{number:05d}.jpg"
        # Bytes behind the end of a JPEG are no part of the image, and make another content.
        file.write_bytes(kept[number % distinct] + number.to_bytes(4, "big"))
    return folder


def _environment(backend: str, folder: Path) -> dict[str, str]:
    return {
        "KERAS_BACKEND": backend,
        "MANYHEADS_CACHE": str(folder / f"cache-{time.monotonic_ns()}"),
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
    }


def _words(way: Way) -> str:
    runtime = f"Keras on {way.backend}" if way.how["runtime"] == "keras" else way.how["runtime"]
    return f"{runtime}, {way.how['device']}, {way.how.get('precision', 'f32')}"


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _onnxruntime() -> tuple[str, str]:
    import onnxruntime

    return onnxruntime.__version__, ", ".join(onnxruntime.get_available_providers())


def _jax() -> tuple[str, str]:
    import jax

    return jax.__version__, ", ".join(map(str, jax.devices()))


def _torch() -> tuple[str, str]:
    import torch

    cuda = torch.cuda.get_device_name(0) if torch.cuda.is_available() else "no CUDA"
    return torch.__version__, cuda


def _openvino() -> tuple[str, str]:
    from manyheads.core import openvino_runtime

    version = openvino_runtime.openvino().get_version().split("-")[0]
    return version, ", ".join(openvino_runtime.core().available_devices)


def _timm() -> tuple[str, str]:
    import timm

    return timm.__version__, ""


def _keras() -> tuple[str, str]:
    import importlib.metadata

    return importlib.metadata.version("keras"), ""


_SEES: dict[str, Callable[[], tuple[str, str]]] = {
    "keras": _keras,
    "jax": _jax,
    "torch": _torch,
    "timm": _timm,
    "onnxruntime": _onnxruntime,
    "openvino": _openvino,
}

if __name__ == "__main__":
    call(globals())
