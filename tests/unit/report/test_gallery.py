"""The gallery: whole in one file, harmless whatever the names, and never in the data's folder."""

from __future__ import annotations

import base64
import io
import os
from pathlib import Path

import pytest
from PIL import Image

from manyheads.data.dataset import Dataset, open_dataset
from manyheads.errors import RunError
from manyheads.findings.labels import SuspiciousLabel, SuspiciousLabels
from manyheads.findings.similar import SimilarImages, SimilarPair
from manyheads.report import gallery
from manyheads.report.gallery import check_gallery_path, write_gallery
from tests.strategies import distinct_image
from tests.unit.report.page_reader import Element, read_page

EVIL = "<script>alert('&')<"


def shown(path: Path) -> Element:
    return read_page(path.read_text(encoding="utf-8"))


def count(page: Element, tag: str) -> int:
    return len(list(page.all(tag)))


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    for label in ("a", EVIL):
        folder = tmp_path / "data" / "train" / label
        folder.mkdir(parents=True)
        for number in range(3):
            distinct_image(f"{label} {number}", 300).resize((400, 200)).save(
                folder / f'"{number}" onload=x.png'
            )
    return open_dataset(tmp_path / "data")


def pairs(dataset: Dataset, count: int = 1) -> SimilarImages:
    names = (dataset.name_of(0), dataset.name_of(5))
    labels = tuple(dataset.classes[dataset.labels[index]] for index in (0, 5))
    pair = SimilarPair(names, ("train", "validation"), labels, 0.98765)
    return SimilarImages(0.3, 6, count, count, count, (pair,) * count, (pair,))


def doubts(dataset: Dataset, count: int = 1) -> SuspiciousLabels:
    found = SuspiciousLabel(dataset.name_of(0), "train", EVIL, "a", 0.004, 0.93)
    return SuspiciousLabels(6, (found,) * count, ())


def test_pairs_and_labels_are_shown_with_their_pictures(dataset: Dataset, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    write_gallery(path, dataset, pairs(dataset), doubts(dataset))
    page = shown(path)
    assert count(page, "img") == 3
    assert "similarity 0.988; across splits; different labels" in page.text
    assert f"labelled {EVIL} (0.4 %), looks like a (93 %)" in page.text
    assert dataset.name_of(0) in page.text
    for picture in page.all("img"):
        data = picture.attributes["src"].removeprefix("data:image/jpeg;base64,")
        with Image.open(io.BytesIO(base64.b64decode(data))) as image:
            assert image.size == (160, 80)


def test_nothing_in_it_leads_elsewhere_or_runs(dataset: Dataset, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    write_gallery(path, dataset, pairs(dataset), doubts(dataset))
    page = shown(path)
    elements = list(page.all())
    forbidden = {"script", "link", "iframe", "a", "object", "base"}
    assert not forbidden & {element.tag for element in elements}
    for name, value in (pair for element in elements for pair in element.attributes.items()):
        assert not name.startswith("on")
        if name in ("src", "href", "srcset", "action"):
            assert value.startswith("data:image/jpeg;base64,")
    text = path.read_text(encoding="utf-8")
    assert "://" not in text
    assert "url(" not in text
    assert "default-src 'none'" in text


def test_a_name_that_is_no_text_is_shown_all_the_same(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "train"
    for label in ("a", "b"):
        (folder / label).mkdir(parents=True)
        distinct_image(label).save(folder / label / "x.png")
    try:
        os.rename(folder / "a" / "x.png", os.fsencode(folder / "a") + b"/\xff.png")  # noqa: PTH104
    except OSError:
        pytest.skip("this file system takes only text")
    dataset = open_dataset(tmp_path / "data")
    name = dataset.name_of(0)
    found = SimilarImages(
        0.3, 2, 1, 0, 0, (SimilarPair((name, name), ("train",) * 2, ("a",) * 2, 1.0),), ()
    )
    write_gallery(tmp_path / "page.html", dataset, found, None)
    page = shown(tmp_path / "page.html")
    assert "\\udcff.png" in page.text
    assert count(page, "img") == 2


def test_very_many_are_bounded_and_it_says_so(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gallery, "MOST", 2)
    path = tmp_path / "page.html"
    write_gallery(path, dataset, pairs(dataset, 5), doubts(dataset, 2))
    page = shown(path)
    assert count(page, "article") == 4
    assert "The first 2 of 5 pairs" in page.text
    assert "2 labels, those that matter most first." in page.text


def test_nothing_found_is_said(dataset: Dataset, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    write_gallery(path, dataset, SimilarImages(0.3, 6, 0, 0, 0, (), ()), None)
    page = shown(path)
    assert "None were found." in page.text
    assert "Suspicious labels" not in page.text


def test_an_image_that_vanished_is_said(dataset: Dataset, tmp_path: Path) -> None:
    Path(str(dataset.paths[0])).unlink()
    write_gallery(tmp_path / "page.html", dataset, pairs(dataset), None)
    page = shown(tmp_path / "page.html")
    assert count(page, "img") == 1
    assert "cannot be read any more" in page.text


def test_the_data_sets_folder_is_out_of_bounds(dataset: Dataset, tmp_path: Path) -> None:
    linked = tmp_path / "elsewhere"
    linked.symlink_to(tmp_path / "data" / "train", target_is_directory=True)
    inside = [tmp_path / "data" / "page.html", tmp_path / "x" / ".." / "data" / "n" / "page.html"]
    for path in (*inside, linked / "page.html"):
        with pytest.raises(RunError, match="outside the data set's folder"):
            write_gallery(path, dataset, pairs(dataset), None)
    with pytest.raises(RunError, match="whose name ends in"):
        check_gallery_path(tmp_path / "photo.jpg", dataset)
    assert not list(tmp_path.rglob("*.html"))
