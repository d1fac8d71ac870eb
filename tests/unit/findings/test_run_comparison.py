"""Several runs compared: as within one study where they share all, and honest where they do not."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from manyheads import compare_runs
from manyheads.errors import RunError, SettingError
from manyheads.findings.run_comparison import RunComparison, compare_folders
from manyheads.findings.shared_images import StudyImages, share
from manyheads.findings.study_findings import read_findings
from manyheads.run.pipeline import Finished, run_study
from manyheads.stats.comparisons import COMPARED
from manyheads.study.folder import RunFolder
from manyheads.study.space import Grid
from tests.small_study import small_images, small_settings
from tests.strategies import distinct_image
from tests.studies import free_backbone
from tests.unit.cli.test_compare_tables import study as made_up_study

pytestmark = pytest.mark.when_changed("studies")

RATES = (0.0, 0.5)


@pytest.fixture(scope="module", autouse=True)
def free(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MANYHEADS_CACHE", str(tmp_path_factory.mktemp("cache")))
        with free_backbone(patch):
            yield


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_images(tmp_path_factory.mktemp("data") / "images", train=8, validation=6)


def grid(*rates: float) -> Grid:
    return Grid((0.05,), (8,), rates)


def run(data: Path, folder: Path, **changes: Any) -> Finished:
    return run_study(small_settings(data, **{"seeds": 3, "epochs": 6} | changes), folder)


def compared(*paths: Path, **options: Any) -> RunComparison:
    return compare_folders([RunFolder(path) for path in paths], **options)


@pytest.fixture(scope="module", params=[{}, {"folds": 3, "repeats": 2}], ids=["split", "folds"])
def design(request: pytest.FixtureRequest) -> dict[str, int]:
    return request.param


@pytest.fixture(scope="module")
def together(design, images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One study of two candidates, and beside it one of each."""
    root = tmp_path_factory.mktemp("runs")
    run(images, root / "both", grid=grid(*RATES), **design)
    for rate in RATES:
        run(images, root / f"rate-{rate}", grid=grid(rate), **design)
    return root


def test_candidates_of_two_runs_compare_as_those_of_one(together: Path) -> None:
    inside = read_findings(RunFolder(together / "both"))
    across = compared(*(together / f"rate-{rate}" for rate in RATES))
    assert across.verdict is not None
    assert across.verdict.comparisons == inside.comparisons
    assert across.verdict.ends == inside.verdict.ends
    assert across.shared == len(inside.validated.labels)
    assert across.names == {1: "rate-0.0", 2: "rate-0.5"}
    assert across.entries == inside.verdict.entries
    assert across.verdict.best == inside.verdict.best
    assert across.posteriors == inside.posteriors


def test_all_candidates_are_one_family_and_selected_ones_a_choice(together: Path) -> None:
    paths = together / "both", together / "rate-0.5"
    every = compared(*paths, every=True)
    assert every.verdict is not None
    assert list(every.names.values()) == ["both: droprate 0", "both: droprate 0.5", "rate-0.5"]
    assert every.verdict.comparisons.family == len(COMPARED) * 3
    assert [each.metric for each in every.verdict.best] == list(COMPARED)
    # The same head in two runs: no difference, whatever the numbers of its candidate.
    entries = every.verdict.comparisons.entries
    same = [each for each in entries if (each.first, each.second) == (2, 3)]
    assert [each.difference for each in same] == [0, 0]
    chosen = compared(*paths)
    assert chosen.verdict is not None
    assert chosen.verdict.comparisons.family == len(COMPARED) * 2 * 1
    assert any("selected one of 2 and 1 candidates" in note for note in chosen.verdict.notes)
    assert chosen.verdict.best == ()


def test_runs_of_other_sizes_are_compared_on_what_they_share(
    images: Path, together: Path, design, tmp_path: Path
) -> None:
    first = together / "rate-0.0"
    run(images, tmp_path / "fewer", grid=grid(0.5), **design | {"seeds": 2})
    found = compared(first, tmp_path / "fewer")
    assert found.verdict is not None
    assert {entry.seeds for entry in found.verdict.entries} == {2}
    assert any("the first 2 seeds count" in note for note in found.verdict.notes)
    assert not any("failed" in note for note in found.verdict.notes)


def test_images_are_matched_by_content_and_only_those_validated_by_all_count(
    images: Path, tmp_path: Path
) -> None:
    other = Path(shutil.copytree(images, tmp_path / "others"))
    for name in ("cat", "dog"):  # one validates no longer but trains, one is new, one is renamed
        (other / f"validation/{name}/0.png").rename(other / f"train/{name}/from validation.png")
        distinct_image(f"new {name}", 40).save(other / f"validation/{name}/new.png")
        (other / f"validation/{name}/1.png").rename(other / f"validation/{name}/zzz.png")
    one = run(images, tmp_path / "one", grid=grid(0.0))
    two = run(other, tmp_path / "two", grid=grid(0.0), engine="fused", batch_size=16)
    found = compared(tmp_path / "one", tmp_path / "two")
    assert found.shared == 16
    assert found.verdict is not None
    share_words = "The runs share 16 validation images (one has 18, two has 18)."
    assert found.verdict.notes[0] == share_words
    (loss,) = found.verdict.comparisons.of("log_loss")
    means = []
    for finished, path in ((one, images), (two, other)):
        dataset = finished.dataset
        names = [dataset.name_of(row) for row in dataset.rows("validation")]
        contents = {file.read_bytes() for file in (images / "validation").rglob("*.png")}
        contents &= {file.read_bytes() for file in (other / "validation").rglob("*.png")}
        kept = [(path / name).read_bytes() in contents for name in names]
        assert finished.findings is not None
        scores = finished.findings.validated.scores(1, "log_loss")
        means.append(scores[..., np.array(kept)].mean())
    assert loss.difference == pytest.approx(means[0] - means[1])


def test_without_shared_images_there_are_scores_and_no_verdict(tmp_path: Path) -> None:
    for name in "ab":
        root = tmp_path / f"images {name}"
        for split, count in (("train", 6), ("validation", 4)):
            for label in ("cat", "dog", "red panda"):
                folder = root / split / label
                folder.mkdir(parents=True)
                for number in range(count):
                    image = distinct_image(f"{name} {split} {label} {number}", 40)
                    image.save(folder / f"{number}.png")
        run(root, tmp_path / name, grid=grid(*RATES))
    found = compared(tmp_path / "a", tmp_path / "b")
    assert (found.verdict, found.shared, found.names) == (None, 0, {})
    assert found.sentences[0] == "No verdict: the runs share no validation image."
    for run_found, sentence in zip(found.runs, found.sentences[1:], strict=True):
        assert run_found.accuracy is not None
        assert f"accuracy {run_found.accuracy.value:.3f} [" in sentence
    assert list(found.to_frame()["images"]) == [12, 12]
    assert "accuracy_low" in found.to_frame()


def test_few_shared_images_are_too_few(images: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(images, tmp_path / "others"))
    for file in (other / "validation").rglob("*.png"):
        if file.name != "0.png":
            distinct_image(f"other {file.parent.name} {file.name}", 40).save(file)
    run(images, tmp_path / "one", grid=grid(0.0))
    run(other, tmp_path / "two", grid=grid(0.0))
    found = compared(tmp_path / "one", tmp_path / "two")
    assert found.verdict is None
    assert found.reason == "the runs share 3 validation images, too few to tell any difference"


def test_other_folds_give_no_verdict(images: Path, tmp_path: Path) -> None:
    run(images, tmp_path / "split", grid=grid(0.0))
    run(images, tmp_path / "folds", grid=grid(0.0), folds=3)
    found = compared(tmp_path / "split", tmp_path / "folds")
    assert found.verdict is None
    assert "split by a given split, folds into 3 folds" in found.reason


def test_runs_that_cannot_be_compared(images: Path, together: Path, tmp_path: Path) -> None:
    first = together / "rate-0.0"
    with pytest.raises(SettingError, match="two runs or more"):
        compare_runs([first])
    with pytest.raises(SettingError, match=r"rate-0\.0 twice"):
        compare_runs([first, together / "both" / ".." / "rate-0.0"])
    fewer = Path(shutil.copytree(images, tmp_path / "fewer"))
    for split in ("train", "validation"):
        shutil.rmtree(fewer / split / "dog")
    run(fewer, tmp_path / "other", grid=grid(0.0))
    with pytest.raises(RunError, match="found no class 'dog'; compare runs on the same classes"):
        compare_runs([first, tmp_path / "other"])


def test_an_earlier_version_kept_no_list_of_images(together: Path, tmp_path: Path) -> None:
    old = RunFolder(shutil.copytree(together / "both", tmp_path / "old"))
    old.images.unlink()
    found = compared(together / "rate-0.0", old.path)
    assert found.verdict is None
    assert found.reason == "old kept no list of its images, as earlier versions did not"


def test_what_one_study_holds_together_stays_together() -> None:
    one = made_up_study()
    images = len(one.labels)
    digests = np.arange(images * 16, dtype=np.uint32).view(np.uint8).reshape(images, -1)
    order = np.random.default_rng(0).permutation(images)
    pairs = np.arange(images) // 2  # of the second study, in whose order
    two = replace(
        one, labels=one.labels[order], units=pairs, fold_of=one.fold_of[:, order],
        other_epochs=None,
        log_probabilities=lambda candidate: one.log_probabilities(candidate)[:, :, order],
    )  # fmt: skip
    shared = share([StudyImages(one, digests), StudyImages(two, digests[order])])
    assert len(shared.units) == images
    assert (order[shared.places[1]] == shared.places[0]).all()
    units = pairs[shared.places[1]]
    assert len(np.unique(np.stack([units, shared.units]), axis=1).T) == len(np.unique(units))
    joint = shared.validated([(0, 1), (1, 1)], ["one", "two"])
    for metric in COMPARED:
        assert (joint.scores(1, metric) == joint.scores(2, metric)).all()
