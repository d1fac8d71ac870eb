"""What a command advises to do next works, in this very situation."""

from __future__ import annotations

import shlex
from pathlib import Path

import numpy as np
import pytest

from manyheads.cli import closing
from manyheads.cli.main import main
from manyheads.run.pipeline import run_study
from tests.small_study import small_images, small_settings
from tests.unit.report.page_reader import read_page


def advised(lines: list[str]) -> list[str]:
    """The commands behind the word Next, less what they say in brackets."""
    first = next(place for place, line in enumerate(lines) if line.startswith("Next"))
    commands = [line[9:] for line in lines[first:] if line[9:].startswith("manyheads ")]
    return [each.partition("   (")[0] for each in commands]


@pytest.mark.when_changed("commands")
@pytest.mark.parametrize("test", [0, 4])
def test_every_command_advised_after_a_sweep_works(
    test: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images, run = small_images(tmp_path / "images", test=test), tmp_path / "my run"
    commands = advised(closing.closing_lines(run_study(small_settings(images, seeds=2), run)))
    assert [shlex.split(each)[1] for each in commands] == [
        "sweep", "predict", "export", *["test"] * bool(test),
    ]  # fmt: skip
    photo = shlex.quote(str(images / "validation/cat/0.png"))
    for each in commands:
        assert main(shlex.split(each.replace("PHOTO.jpg", photo))[1:]) == 0, each
    capsys.readouterr()
    section = read_page((run / "report.html").read_text(encoding="utf-8")).by_id("answer")
    asked = [each.text for each in section.all("code") if "manyheads test" in each.text]
    assert len(asked) == bool(test)
    if test:
        assert shlex.split(asked[0])[1:] == ["test", str(run)]
    else:
        assert "The data set has no test images" in section.text
        assert main(["test", str(run)]) == 1
        assert "put images that no study has used in a folder test/" in capsys.readouterr().err


@pytest.mark.when_changed("commands")
def test_every_command_advised_after_a_sweep_of_features_works(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = [f"{number}.jpg,{'cat' if number % 2 else 'dog'}" for number in range(60)]
    Path("table.csv").write_text("\n".join(["path,label", *rows]))
    values = np.random.default_rng(0).normal(size=(60, 8)).astype(np.float32)
    np.save("FEATURES.npy", values)
    sweep = "sweep table.csv --features FEATURES.npy --epochs 2 --seeds 2 --out run --test-share 0"
    assert main(sweep.split()) == 0
    commands = advised(capsys.readouterr().out.splitlines())
    assert [each.split()[1] for each in commands] == ["sweep", "predict", "export"]
    for each in commands:
        assert main(shlex.split(each)[1:]) == 0, each
    assert main(["test", "run"]) == 1
    assert (
        "in another run folder, with test images (--test-share of `manyheads sweep`)"
        in capsys.readouterr().err
    )
