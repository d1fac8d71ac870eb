"""A smaller model: measured before it has a name, refused where it loses too much."""

from __future__ import annotations

import importlib.util
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from manyheads.core import openvino_runtime
from manyheads.core.job import Event, Job, Note
from manyheads.errors import DataError, MissingExtraError, ModelError, SettingError
from manyheads.models.card import model_size, read_card
from manyheads.models.classifier import load
from manyheads.models.export import quantising
from manyheads.models.export.exporter import export_model
from manyheads.models.export.formats import FORMATS
from manyheads.models.export.quantising import require_within
from manyheads.models.quantised_record import Quantisation
from manyheads.stats.intervals import Estimate
from manyheads.study.folder import RunFolder
from tests.unit.models.test_quantised_record import cost

INT8, F16 = Quantisation(kind="int8", max_loss=100), Quantisation(kind="f16", max_loss=100)
CASES = [
    ("onnx", INT8, ("onnx", "onnxruntime")),
    ("onnx", F16, ("onnx", "onnxruntime")),
    ("openvino", F16, ()),
    pytest.param("openvino", INT8, ("nncf",), marks=pytest.mark.programs),
    pytest.param("litert", INT8, ("tensorflow", "ai_edge_litert"), marks=pytest.mark.slow),
    pytest.param("litert", F16, ("tensorflow", "ai_edge_litert"), marks=pytest.mark.slow),
]


@pytest.mark.when_changed("exports")
@pytest.mark.parametrize(("format_", "asked", "packages"), CASES)
def test_a_smaller_model(
    small_run: RunFolder, format_: str, asked: Quantisation, packages: tuple[str, ...],
    tmp_path: Path,
) -> None:  # fmt: skip
    for package in packages:
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    target = FORMATS[format_].target(tmp_path, asked.kind)
    notes: list[Event] = []
    exported = export_model(
        small_run, format_, target, Job(notes.append), quantisation=asked
    )  # fmt: skip
    found = exported.cost
    assert found is not None
    assert exported.check.any_batch
    assert found.images == 12
    assert found.source == "validation images"
    assert found.runtime.startswith(FORMATS[format_].opens)
    assert found.size == model_size(target)
    assert found.size < found.float32_size * (0.35 if asked.kind == "int8" else 0.6)
    assert found.milliseconds > 0
    record = exported.card.quantised
    assert record is not None
    assert record.calibrated == ("21 training images" if asked.kind == "int8" else "")
    assert read_card(target) == exported.card
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        path.name for path in exported.files
    )
    # What is written is what was measured, and `predict` takes it.
    images = sorted((small_run.path.parent / "images" / "validation").glob("*/*.png"))
    wanted, again = load(small_run.path).predict(images), load(target).predict(images)
    np.testing.assert_allclose(again.probabilities, wanted.probabilities, rtol=0, atol=0.05)
    if asked.kind == "f16":
        np.testing.assert_allclose(again.probabilities, wanted.probabilities, rtol=0, atol=2e-3)
    said = [event.text for event in notes if isinstance(event, Note)]
    assert any(each.startswith(f"quantising to {asked.kind}") for each in said)
    if asked.kind == "int8":
        with pytest.raises(ModelError, match="a float32 or f16 model, for `unknown`"):
            load(target).predict(images, unknown=0.5)
    with pytest.raises(SettingError, match=f"float32 model, to quantise, found one of {asked.kind}"
                       if format_ == "openvino" else "a run folder, or"):  # fmt: skip
        export_model(target, "openvino", tmp_path / "again.xml", quantisation=INT8)


@pytest.mark.when_changed("exports")
def test_the_weights_of_an_onnx_file_are_halved(small_run: RunFolder, tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    target = tmp_path / "best.onnx"
    export_model(small_run, "onnx", target, quantisation=F16)
    graph = onnx.load(target).graph
    halves = [one for one in graph.initializer if one.data_type == onnx.TensorProto.FLOAT16]
    casts = [node for node in graph.node if node.op_type == "Cast" and "f16" in node.input[0]]
    assert len(halves) == len(casts) > 20
    metadata = {each.key for each in onnx.load(target).metadata_props}
    assert {"classes", "card"} <= metadata


def test_a_number_that_16_bits_do_not_hold_stays(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    from manyheads.models.export.quantisers import quantise

    values = np.full((300, 2), 1e5, np.float32)
    helper = onnx.helper
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["images", "large"], ["outputs"])], "graph",
        [helper.make_tensor_value_info("images", 1, ["n", 300])],
        [helper.make_tensor_value_info("outputs", 1, ["n", 2])],
        [onnx.numpy_helper.from_array(values, "large")],
    )  # fmt: skip
    file, target = tmp_path / "a.onnx", tmp_path / "b.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), file)
    quantise("onnx", "f16", str(file), str(target), {"card": "{}"})
    (array,) = onnx.load(target).graph.initializer
    assert array.data_type == onnx.TensorProto.FLOAT
    file.write_bytes(b"no model")
    with pytest.raises(ModelError, match="ONNX Runtime's quantiser can write as f16"):
        quantise("onnx", "f16", str(file), str(target), {})


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"accuracy": -0.013}, r"accuracy that quantising makes worse by at most 1\.0 points, "
         r"found 1\.3 points \(0\.840 → 0\.837, 341 validation images, ONNX Runtime"),
        ({"log_loss": 0.07}, r"log loss that quantising makes worse by at most 0\.050 nats, "
         r"found 0\.070 nats"),
    ],
)  # fmt: skip
def test_too_great_a_loss_is_refused(changes: dict[str, float], said: str) -> None:
    scores = tuple(
        replace(each, difference=Estimate(changes.get(each.metric, 0.0), None, None))
        for each in cost().scores
    )
    asked = Quantisation(kind="int8")
    with pytest.raises(ModelError, match=said) as raised:
        require_within(asked, cost(scores=scores), "best-int8.onnx")
    assert "best-int8.onnx was not written; raise `max_loss`, or export as f16" in str(raised.value)
    require_within(Quantisation(kind="int8", max_loss=2), cost(scores=scores), "best-int8.onnx")
    require_within(asked, cost(), "best-int8.onnx")


@pytest.mark.when_changed("exports")
def test_a_refused_export_leaves_what_was_there(
    small_run: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "best.xml"
    before = export_model(small_run, "openvino", target).files
    kept = [file.read_bytes() for file in before]
    accuracy, log_loss = cost().scores
    bad = replace(accuracy, difference=Estimate(-0.5, None, None))
    monkeypatch.setattr(quantising, "_measured", lambda *_: (cost(scores=(bad, log_loss)), True))
    with pytest.raises(ModelError, match=r"found 50\.0 points"):
        export_model(small_run, "openvino", target, quantisation=Quantisation(kind="f16"))
    assert sorted(tmp_path.iterdir()) == sorted(before)
    assert [file.read_bytes() for file in before] == kept


@pytest.mark.when_changed("exports")
def test_a_model_alone_with_images_of_its_own(small_run: RunFolder, tmp_path: Path) -> None:
    alone = tmp_path / "alone"
    alone.mkdir()
    for name in ("best.keras", "best.keras.json"):
        shutil.copyfile(small_run.path / name, alone / name)
    target = tmp_path / "out" / "best.xml"
    with pytest.raises(SettingError, match="expected `data`, labelled images to calibrate by"):
        export_model(alone / "best.keras", "openvino", target, quantisation=F16)
    assert not target.parent.exists()
    data = small_run.path.parent / "images"
    exported = export_model(
        alone / "best.keras", "openvino", target, quantisation=F16, data=data
    )  # fmt: skip
    assert exported.cost is not None
    assert exported.cost.source == "validation images of images"
    assert exported.check.source == "validation images"
    with pytest.raises(DataError, match="nowhere"):
        export_model(
            alone / "best.keras", "openvino", target, quantisation=F16, data=tmp_path / "nowhere"
        )


def test_what_cannot_be_quantised(
    small_run: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(said: str, format_: str, **options: Any) -> None:
        with pytest.raises(SettingError, match=said):
            export_model(small_run, format_, quantisation=INT8, **options)

    refused("the format openvino, onnx or litert, to quantise, found keras", "keras")
    refused("one of `raw` and `quantize`, found both", "openvino", raw=True)
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "nncf" else find(name)
    )
    with pytest.raises(MissingExtraError, match=r"nncf, to quantise openvino to int8.*quantize\]"):
        export_model(small_run, "openvino", tmp_path / "a" / "best.xml", quantisation=INT8)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.when_changed("exports")
def test_the_program_says_that_it_is_quantised(small_run: RunFolder, tmp_path: Path) -> None:
    target = tmp_path / "best.xml"
    export_model(small_run, "openvino", target, quantisation=F16)
    program = openvino_runtime.core().read_model(target)
    assert '"kind": "f16"' in program.get_rt_info(["manyheads", "card"]).value
