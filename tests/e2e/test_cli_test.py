"""`manyheads test`: the test images are evaluated once, on purpose, and on record."""

from __future__ import annotations

import errno
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from manyheads import Study, load
from manyheads.backbones.weights import Weights
from manyheads.cli.main import main
from manyheads.errors import Interrupted
from manyheads.findings import test_log as record
from manyheads.findings.test_log import read_test_log, repeat_warning
from manyheads.run.pipeline import run_study
from manyheads.run.test_evaluation import final_score
from manyheads.study.folder import RunFolder
from manyheads.study.store import Store
from tests.e2e.conftest import Command, Said
from tests.former_names import formerly
from tests.jobs import stopped_job
from tests.small_study import CLASSES, small_images, small_settings
from tests.studies import rows_of

pytestmark = pytest.mark.when_changed("commands")

RECORD = Path("run/test.json")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return small_images(tmp_path / "photos", test=3)


@pytest.fixture
def finished(free: None, photos: Path, sweep: Callable[..., Said]) -> RunFolder:
    """A finished study of two candidates in `run`, through a backbone that costs nothing."""
    del free
    said = sweep(photos, "--droprate", 0, 0.5)
    assert said.code == 0, said.err
    return RunFolder("run")


def ranked(folder: RunFolder) -> tuple[int, int]:
    """The numbers of the selected candidate and of the other one."""
    rows = sorted(rows_of(folder.results), key=lambda row: int(row["rank"]))
    return int(rows[0]["candidate"]), int(rows[1]["candidate"])


def refused(said: Said, *words: str) -> None:
    """The command failed with one line that holds `words`."""
    assert (said.code, said.out.strip()) == (1, ""), said
    assert said.complaint.startswith("manyheads: expected ")
    for word in (", found ", "; ", *words):
        assert word in said.complaint


def test_the_scores_are_those_of_the_whole_network(command: Command, photos: Path) -> None:
    run_study(small_settings(photos), "run")
    said = command("test", "run", "--json")
    assert said.code == 0, said.err
    document = json.loads(said.out)
    assert (document["anew"], document["evaluations"], document["warning"]) == (True, 1, None)
    images = sorted((photos / "test").rglob("*.png"))
    labels = [image.parent.name for image in images]
    answers = list(load("run").predict(images))
    scores = document["evaluation"]["scores"]
    assert (scores["images"], scores["units"]) == (9, 9)
    hits = [answer.label == label for answer, label in zip(answers, labels, strict=True)]
    assert scores["accuracy"]["value"] == pytest.approx(np.mean(hits))
    chances = [a.probabilities[label] for a, label in zip(answers, labels, strict=True)]
    assert scores["log_loss"]["value"] == pytest.approx(-np.log(chances).mean(), rel=1e-4)
    for place, entry in enumerate(scores["classes"]):
        assert entry["name"] == CLASSES[place]
        assert entry["recall"]["value"] == pytest.approx(np.mean(hits[3 * place : 3 * place + 3]))
    assert document["evaluation"]["model"]["candidate"] == ranked(RunFolder("run"))[0]


class Full(io.StringIO):
    """A stdout on a full disk."""

    def write(self, _: str) -> int:
        raise OSError(errno.ENOSPC, "no")


@pytest.mark.usefixtures("finished")
@pytest.mark.parametrize("form", [[], ["--json"]])
def test_nothing_is_recorded_that_cannot_be_told(
    form: list[str], command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("sys.stdout", Full())
        assert main(["test", "run", *form]) == 1
    assert not RECORD.exists()
    told = command("test", "run", *form)
    assert told.code == 0, told.err
    assert RECORD.exists()
    (entry,) = read_test_log(RunFolder("run"))
    text = RECORD.read_text(encoding="utf-8")
    former = formerly(text, openings="evaluations", opened="evaluated_at")
    RECORD.write_text(former, encoding="utf-8")
    assert read_test_log(RunFolder("run")) == [entry]
    if form:
        assert json.loads(told.out)["anew"]


def test_the_same_model_again_opens_nothing_anew(command: Command, finished: RunFolder) -> None:
    first = command("test", "run")
    assert first.code == 0, first.err
    for words in (
        "Test       9 images, not used for selection\n",
        "(recorded now)\n",
        "accuracy",
        "at the training",
        "red panda        3   33.3 %        33.3 %",
        "Class shares are those of the training images.\n",
        "Record     run/test.json\n",
    ):
        assert words in first.out
    written = RECORD.read_bytes()
    again = command("test", "run")
    now, before = "(recorded now)", "(on record, no new evaluation)"
    assert again.out == first.out.replace(now, before)
    assert command("test", "run", "--candidate", ranked(finished)[0], "--again").out == again.out
    assert RECORD.read_bytes() == written
    assert repeat_warning(finished) is None


def test_another_model_is_refused_unless_it_is_meant(
    command: Command, finished: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    selected, other = ranked(finished)
    assert command("test", "run").code == 0
    written = RECORD.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(
            "manyheads.run.test_evaluation.open_data", None
        )  # refused before any is touched
        said = command("test", "run", "--candidate", other)
    refused(said, f"expected candidate {selected}, whose", f"found candidate {other}; select by")
    assert "set --again" in said.complaint
    assert RECORD.read_bytes() == written
    said = command("test", "run", "--candidate", other, "--again")
    assert said.code == 0, said.err
    assert "(not the selected one)" in said.out
    assert "Test       9 images\n" in said.out
    warning = repeat_warning(finished)
    assert warning is not None
    assert warning.startswith("2 models of this study were evaluated on the test images: ")
    assert f": candidate {selected} (2" in warning
    assert f", candidate {other} (2" in warning
    assert "the scores after the first are not unbiased" in warning
    assert warning in said.out
    assert warning in command("test", "run").out
    assert json.loads(command("test", "run", "--json").out)["warning"] == warning
    first, second = read_test_log(finished)
    assert (first.number, second.number) == (1, 2)
    assert (first.model.candidate, second.model.candidate) == (selected, other)
    assert (first.model.selected, second.model.selected) == (True, False)
    assert first.model.parameters != second.model.parameters


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("added", "1 image added (test/cat/more.png)"),
        ("other bytes", "1 image with other content (test/cat/0.png)"),
        ("other label", "1 image with another label (test/cat/0.png (cat → dog))"),
        ("other split", "1 image in another split (test/cat/0.png (test → train))"),
    ],
)
def test_data_that_has_changed_is_refused(
    command: Command, finished: RunFolder, photos: Path, change: str, words: str
) -> None:
    image = photos / "test" / "cat" / "0.png"
    if change == "added":
        shutil.copy(image, image.with_name("more.png"))
    elif change == "other bytes":
        image.write_bytes((photos / "train" / "dog" / "0.png").read_bytes())
    else:
        folder = "test/dog" if change == "other label" else "train/cat"
        image.rename(photos / folder / "new.png")
    said = command("test", "run")
    remedy = "restore them, name where they lie with --data"
    refused(said, f"the data set has changed since: {words}; {remedy}")
    assert read_test_log(finished) == []


def test_a_data_set_that_was_moved_is_named(
    command: Command, finished: RunFolder, photos: Path
) -> None:
    photos.rename(photos.with_name("elsewhere"))
    moved = "if the data set was moved, name where it lies with --data"
    refused(command("test", "run"), "photos", moved)
    refused(command("claims", "run", "--ensemble"), "photos", moved)
    assert command("test", "run", "--data", photos.with_name("elsewhere")).code == 0
    assert len(read_test_log(finished)) == 1


def test_without_test_images_the_remedy_is_named(
    command: Command, free: None, tmp_path: Path, sweep: Callable[..., Said]
) -> None:
    del free
    assert sweep(small_images(tmp_path / "two")).code == 0
    said = command("test", "run")
    refused(said, "expected test images in two, found none", "in a folder test/")
    assert not RECORD.exists()


def test_a_run_folder_in_use_is_left_alone(command: Command, finished: RunFolder) -> None:
    with finished.held():
        refused(command("test", "run"), "found another manyheads at work in it; wait until")
    assert not RECORD.exists()
    assert command("test", "run").code == 0


def test_what_is_interrupted_is_not_recorded(finished: RunFolder, tmp_path: Path) -> None:
    job = stopped_job()
    for place in (None, tmp_path / "cache" / "features"):  # in time for the scores; for features
        if place is not None:
            shutil.rmtree(place)
        with pytest.raises(Interrupted):
            final_score("run", job=job)
        assert read_test_log(finished) == []
    assert final_score("run").anew


def test_what_is_missing_in_the_cache_is_extracted_of_the_test_images_alone(
    command: Command, finished: RunFolder, tmp_path: Path
) -> None:
    before = final_score("run")
    shutil.rmtree(tmp_path / "cache" / "features")
    said = command("test", "run")
    assert "extracting  9/9 images" in said.err
    assert "differ from the record" not in said.out
    assert read_test_log(finished) == [before.evaluation]


def test_a_record_that_cannot_be_written_is_none(
    command: Command, finished: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("manyheads.core.places._flush", full)
        refused(command("test", "run"), "no space left on device")
    assert read_test_log(finished) == []
    assert command("test", "run").code == 0


def test_scores_that_come_out_different_are_said_and_the_record_stands(
    command: Command, finished: RunFolder
) -> None:
    assert command("test", "run").code == 0
    document = json.loads(RECORD.read_text())
    document["evaluations"][0]["scores"]["log_loss"]["value"] *= 1 + 1e-9  # rounding
    RECORD.write_text(json.dumps(document))
    assert "differ" not in command("test", "run").out
    document["evaluations"][0]["scores"]["log_loss"]["value"] = 17.0
    RECORD.write_text(json.dumps(document))
    said = command("test", "run")
    assert "the scores differ from the record, which is kept: log_loss.value: 17 → " in (said.out)
    assert read_test_log(finished)[0].measured.log_loss.value == 17


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"format": 9, "evaluations": []}', '{"format": 1, "evaluations": [{}]}'],
)
def test_a_damaged_record_is_never_taken_for_none(
    command: Command, finished: RunFolder, text: str
) -> None:
    del finished
    RECORD.write_text(text)
    refused(command("test", "run"), "expected the record of test evaluations, format 1, in")
    assert RECORD.read_text() == text


def test_a_study_must_be_finished(command: Command, finished: RunFolder) -> None:
    refused(command("test", "nowhere"), "no such folder")
    with Store(finished.store) as store:
        curve = store.curve(1)
        store.finish(1, "pending", 1, "", curve)
    refused(command("test", "run"), "found one with heads still to train; repeat its sweep")
    finished.store.unlink()
    refused(command("test", "run"), "found one with heads still to train; repeat its sweep")
    assert not finished.store.exists()


def test_a_candidate_must_have_a_head(command: Command, finished: RunFolder) -> None:
    refused(
        command("test", "run", "--candidate", 3), "--candidate to be a whole number from 1 to 2"
    )
    selected, other = ranked(finished)
    shutil.copy(finished.head(selected), finished.head(other))
    refused(command("test", "run", "--candidate", other), "found another head; repeat the sweep")
    finished.head(other).unlink()
    said = command("test", "run", "--candidate", other)
    refused(said, f"a trained head of candidate {other}", "found no file of it", "--keep-heads")
    with Store(finished.store) as store:
        store.prune([other], "pruned")
    said = command("test", "run", "--candidate", other)
    refused(said, "found a candidate that was pruned or diverged; choose another candidate")
    assert not RECORD.exists()


def test_other_weights_are_refused(
    command: Command, finished: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    del finished
    other = Weights(Path("w"), "0" * 64, "elsewhere")
    monkeypatch.setattr("manyheads.study.reopened.resolve", lambda *_: other)
    refused(
        command("test", "run"), "the weights of the study (no weights), found others (elsewhere)"
    )


def test_unreadable_images_are_left_out_and_seen_ones_counted(
    command: Command, free: None, photos: Path, sweep: Callable[..., Said]
) -> None:
    del free
    (photos / "test" / "cat" / "broken.png").write_bytes(b"no image")
    seen = (photos / "train" / "cat" / "0.png").read_bytes()
    (photos / "test" / "cat" / "seen.png").write_bytes(seen)
    assert sweep(photos).code == 0
    said = command("test", "run")
    assert said.code == 0, said.err
    assert "left out, unreadable: test/cat/broken.png: " in said.err
    assert "Test       10 images, not used for selection, 1 unreadable left out\n" in said.out
    assert "\n1 test image of a content or group that is also among the training" in said.out
    entry = read_test_log(RunFolder("run"))[0]
    assert (entry.unreadable, entry.seen, entry.measured.images) == (1, 1, 10)


def test_from_python_the_record_is_returned(
    free: None, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del free
    monkeypatch.chdir(tmp_path)
    study = Study(
        photos, droprate=[0.0, 0.5], size_inner=4, epochs=2, seeds=1, image_size=71, out="run"
    ).run()
    found = study.test()
    assert [found] == read_test_log(RunFolder(study.path))
    assert study.test() == found
    assert found.evaluated_at == json.loads(RECORD.read_text())["evaluations"][0]["evaluated_at"]
    assert record.day_and_time(found).endswith(" UTC")
    other = ranked(RunFolder(study.path))[1]
    assert study.test(candidate=other, again=True).number == 2
