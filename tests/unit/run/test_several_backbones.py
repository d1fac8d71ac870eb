"""Studies of several backbones: each is what a study of its own would be, all are compared."""

from __future__ import annotations

import shlex
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from manyheads.backbones.backbone_cost import BackboneCost
from manyheads.cli import main
from manyheads.errors import BackboneError, SettingError
from manyheads.findings.study_findings import read_findings
from manyheads.heads.head import forward
from manyheads.lesson.ensemble_claim import ensemble_claim
from manyheads.models.classifier import load
from manyheads.report.from_study import command_of
from manyheads.run.pipeline import Finished, run_study
from manyheads.run.plan import plan_study
from manyheads.run.test_evaluation import final_score
from manyheads.study.backbone_choices import BackboneCandidates, choices_of
from manyheads.study.baselines import kept_baselines
from manyheads.study.drawn_candidates import candidates_of
from manyheads.study.folder import RunFolder
from manyheads.study.kept_costs import keep_costs
from manyheads.study.refit import selected_head
from manyheads.study.space import Grid
from manyheads.study.store import Store
from manyheads.study.study_document import read_study, study_document
from manyheads.study.study_settings import StudySettings
from tests.networks import FEATURES, save_onnx
from tests.small_study import small_images
from tests.studies import outcome_of

HEADS = Grid((0.01,), (4,), (0.0, 0.5), epochs=(3,))


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two networks: one, and one that says everything twice."""
    from onnx import helper

    folder = tmp_path_factory.mktemp("networks")
    twice = helper.make_node("Concat", ["grid", "grid"], ["both"], axis=1)
    return [save_onnx(folder / "small.onnx"), save_onnx(folder / "wide.onnx", more=[twice])]


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_images(tmp_path_factory.mktemp("images"), test=2)


def settings_of(images: Path, networks: list[Path], **changes: Any) -> StudySettings:
    sizes = changes.pop("sizes", (32,))
    heads = changes.pop("heads", HEADS)
    choices = choices_of(networks, sizes, preprocessing="tf")
    first = choices[0]
    grid = BackboneCandidates(heads, choices)
    given: dict[str, Any] = {"seeds": 2, "folds": 3, "select": "last"} | changes
    return StudySettings(
        data=str(images), grid=grid, backbone=first.backbone, preprocessing="tf",
        image=first.image, **given,
    )  # fmt: skip


@pytest.fixture(scope="module")
def finished(
    images: Path, networks: list[Path], tmp_path_factory: pytest.TempPathFactory
) -> Finished:
    settings = settings_of(images, networks)
    return run_study(settings, tmp_path_factory.mktemp("several") / "run")


@pytest.mark.when_changed("studies")
def test_each_backbone_is_what_a_study_of_its_own_is(finished: Finished, tmp_path: Path) -> None:
    """The laws of pairing: the same folds, seeds and masks, so the same numbers to the last bit."""
    settings = finished.settings
    with Store(finished.folder.store) as store:
        several = {record.trial: store.curve(record.trial.number) for record in store.trials()}
    for place in range(2):
        alone = replace(settings.on_backbone(place), grid=HEADS)
        other = run_study(alone, tmp_path / f"{place}")
        with Store(other.folder.store) as store:
            for record in store.trials():
                own = (record.trial.candidate - 1) * 2 + place + 1
                (same,) = (
                    curve for trial, curve in several.items()
                    if (trial.candidate, trial.seed, trial.fold)
                    == (own, record.trial.seed, record.trial.fold)
                )  # fmt: skip
                assert same == store.curve(record.trial.number)


@pytest.mark.when_changed("studies")
def test_a_pair_is_a_candidate_beside_its_members(
    images: Path, networks: list[Path], finished: Finished, tmp_path: Path
) -> None:
    """Its features are theirs, so that no image needs another pass, and it may win."""
    del finished  # what its members see is in the cache
    pair = f"{networks[0]}+{networks[1]}"
    choices = choices_of([*networks, pair], (32,), preprocessing="tf")
    settings = replace(settings_of(images, networks), grid=BackboneCandidates(HEADS, choices))
    study = run_study(settings, tmp_path / "run")
    assert study.passes == 0
    findings = read_findings(study.folder)
    assert findings.backbones is not None
    assert {each.name for each in findings.backbones.scores} == {"small", "wide", "small+wide"}
    matrices = [each.features.plain.matrix for each in study.backbones]
    assert [matrix.shape[1] for matrix in matrices] == [FEATURES, 2 * FEATURES, 3 * FEATURES]
    again = run_study(settings, tmp_path / "run")
    assert (again.trained, again.passes) == (0, 0)


@pytest.mark.when_changed("studies")
def test_it_goes_on_with_nothing_left_to_do(finished: Finished) -> None:
    before = outcome_of(finished.folder.path)
    again = run_study(finished.settings, finished.folder.path)
    assert (again.trained, again.passes) == (0, 0)
    assert outcome_of(finished.folder.path) == before


def test_its_settings_are_read_back(finished: Finished) -> None:
    settings, resolved = read_study(finished.folder.document())
    assert settings == finished.settings
    assert study_document(settings, resolved) == finished.folder.document()
    assert len(resolved.backbones) == 2
    assert [settings.on_backbone(place).spec.name for place in (0, 1)] == ["small", "wide"]


def test_tables_tell_the_backbone_of_a_candidate(finished: Finished) -> None:
    header, first, *_ = finished.folder.results.read_text().splitlines()
    assert header.startswith("rank,candidate,backbone,image_size,learning_rate,")
    assert ",small,32,0.01," in first
    assert finished.settings.grid.varying == ("backbone", "droprate")


def test_the_model_is_that_of_the_selected_backbone(finished: Finished, images: Path) -> None:
    head = selected_head(finished.settings, finished.folder, finished.result)
    plain = finished.features.plain
    assert plain.matrix.shape[1] == FEATURES * (1 + finished.settings.place_of(head.candidate))
    files = [finished.dataset.paths[index] for index in range(6)]
    logits = forward(head.parameters, plain.matrix[plain.rows[:6]])
    wanted = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    found = load(finished.folder.best).predict(files)
    np.testing.assert_allclose(found.probabilities, wanted, atol=1e-5)
    assert images.is_dir()


@pytest.mark.when_changed("studies")
def test_any_candidate_can_be_evaluated_and_explained(finished: Finished, tmp_path: Path) -> None:
    """What opens the study again takes the features of the candidate's own backbone."""
    run = run_study(finished.settings, tmp_path / "run")
    ranking = [entry.candidate for entry in run.result.ranking]
    places = {run.settings.place_of(each): each for each in ranking}
    for number, (_, candidate) in enumerate(sorted(places.items())):
        found = final_score(run.folder.path, candidate=candidate, again=number > 0)
        assert found.evaluation.measured.images == 6
    dropped = [each for each in ranking if run.settings.grid[each - 1].droprate]
    for candidate in dropped:
        assert ensemble_claim(run.folder.path, candidate=candidate).candidate == candidate


def test_a_backbone_costs_what_is_told_of_it(finished: Finished) -> None:
    keep_costs(finished.folder, [BackboneCost(0.1, 2.0, 50.0), BackboneCost(0.1, 8.0, 10.0)])
    found = read_findings(finished.folder).backbones
    assert found is not None
    assert {each.name: each.cost.gflop for each in found.scores} == {"small": 2.0, "wide": 8.0}
    selected = found.selected
    # All pairs of the four candidates in two metrics: each backbone's best is a choice.
    other = next(each for each in found.scores if each is not selected)
    assert other.low <= other.difference <= other.high
    assert f"({selected.cost.gflop:.1f} GFLOP per image)" in found.sentences[0]
    assert [row[0] for row in found.table.rows] == [each.name for each in found.scores]


def test_a_plan_counts_the_passes_of_each(images: Path, networks: list[Path]) -> None:
    plan = plan_study(settings_of(images, networks, sizes=(32, 48)))
    assert plan.missing == sum(part.missing for part in plan.parts)
    assert len(plan.parts) == 4
    sizes = [(part.settings.spec.name, part.settings.image.size) for part in plan.parts]
    assert sizes == [("small", 32), ("small", 48), ("wide", 32), ("wide", 48)]


@pytest.mark.when_changed("studies")
def test_candidates_of_the_head_may_be_drawn(
    images: Path, networks: list[Path], tmp_path: Path
) -> None:
    given = {"learning_rate": ["1e-3..1e-1"], "size_inner": [4], "droprate": [0.0], "epochs": [2]}
    drawn = candidates_of(given, 3)
    finished = run_study(settings_of(images, networks, heads=drawn, folds=None), tmp_path / "run")
    assert len(finished.settings.grid) == 6
    assert read_study(finished.folder.document())[0] == finished.settings
    more = candidates_of(given, 4)
    grown = run_study(settings_of(images, networks, heads=more, folds=None), tmp_path / "run")
    assert grown.trained == 2 * 2  # the new one of the head, on both, with two seeds


@pytest.mark.when_changed("studies")
def test_an_image_that_one_cannot_read_is_left_out_for_all(
    networks: list[Path], tmp_path: Path
) -> None:
    data = small_images(tmp_path / "images")
    (data / "train" / "cat" / "0.png").write_bytes(b"no image")
    finished = run_study(settings_of(data, networks), tmp_path / "run")
    assert all(len(each.features.plain.unreadable) == 1 for each in finished.backbones)
    assert len(finished.folder.results.read_text().splitlines()) == 5


def test_the_command_of_a_report_asks_for_the_same_study(finished: Finished) -> None:
    words = shlex.split(command_of(finished.settings, "run"))
    place = words.index("--backbone")
    assert [Path(word).name for word in words[place + 1 : place + 3]] == ["small.onnx", "wide.onnx"]
    assert words[words.index("--image-size") + 1] == "32"
    assert words[words.index("--preprocessing") + 1] == "tf"


@pytest.mark.when_changed("studies")
def test_the_command_line_takes_lists(
    images: Path, networks: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    command = ["sweep", str(images), "--backbone", *map(str, networks), "--preprocessing", "tf"]
    command += ["--image-size", "32", "--droprate", "0", "--epochs", "2", "--seeds", "2"]
    assert main.main([*command, "--out", str(run)]) == 0
    shown = capsys.readouterr().out
    assert "Backbones, each with its best setting" in shown
    assert "Cost" in shown
    assert main.main(["sweep", "--config", str(run), "--out", str(run), "--json"]) == 0
    assert '"backbone_passes": 0' in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--backbone", "mobilenet", "mobilenet"], "mobilenet at 224×224 twice"),
        (["--backbone", "mobilenet", "xeption"], "did you mean xception?"),
        (["--backbone", "mobilenet", "xception", "--image-size", "40"], "at least 71 for xception"),
        (["--backbone", "mobilenet", "xception", "--weights", "w.h5"], "one --backbone for --weig"),
        (["--image-size", "150", "0"], "--image-size to be a whole number from 32"),
        (["--backbone", "xception", "mobilenet", "--preprocessing", "tf"], "a network in a file"),
        (["--image-size", "150", "299", "--features", "f.npy"], "no images, found --image-size"),
    ],
)
def test_what_makes_no_study_is_told_in_a_line(
    options: list[str], words: str, images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.main(["sweep", str(images), *options]) != 0
    shown = capsys.readouterr().err
    assert words in shown
    assert "Traceback" not in shown


def test_features_have_no_backbones(images: Path, networks: list[Path]) -> None:
    with pytest.raises(SettingError, match=r"features alone.*found 2 backbones"):
        settings_of(images, networks, features=("f.npy",))


def test_other_backbones_have_another_folder(
    finished: Finished, networks: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(finished.folder.path, tmp_path / "runs" / "photos")
    found = set()
    for sizes in ((32, 40), (32, 48), (32, 56)):
        choices = choices_of(networks[:1], sizes, preprocessing="tf")
        settings = replace(finished.settings, grid=BackboneCandidates(HEADS, choices))
        found.add(RunFolder.for_study(settings, tmp_path / "photos").path)
    assert len(found) == 3


def test_baselines_are_those_of_the_selected_backbone(finished: Finished) -> None:
    place = finished.settings.place_of(finished.result.ranking[0].candidate)
    assert kept_baselines(finished.folder, place) is not None
    assert kept_baselines(finished.folder, 1 - place) is None


def test_a_size_that_one_does_not_take_is_refused(networks: list[Path], tmp_path: Path) -> None:
    fixed = save_onnx(tmp_path / "fixed.onnx", side=64)
    with pytest.raises(BackboneError, match="the only one that fixed takes"):
        choices_of([networks[0], fixed], (32,), preprocessing="tf")
    assert [each.image.size for each in choices_of([networks[0], fixed], preprocessing="tf")] == [
        224, 64,
    ]  # fmt: skip


def test_choices_with_one_name_are_told_apart(networks: list[Path]) -> None:
    with pytest.raises(SettingError, match=r"small at 32×32 twice"):
        BackboneCandidates(HEADS, choices_of([networks[0]] * 2, (32,), preprocessing="tf"))
