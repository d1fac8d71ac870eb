"""What does a reader see first? Makes pictures of the terminal, the report and a notebook.

    python -m benchmarks.pictures --out DIR          two minutes on two cores

`terminal.txt` is what a sweep leaves in a terminal of 80 columns, `terminal.png` a picture of it;
`report-*.png` are the report at the width of a screen and of a phone, in light and dark, its first
screen and the whole page; `notebook-*.png` are the stored notebooks (which needs nbconvert). It
needs Chromium and its driver on PATH. The pictures are made to be looked at, not to be kept: the
repository has none.
"""

from __future__ import annotations

import argparse
import base64
import shutil
import sys
import tempfile
from pathlib import Path

from benchmarks.machine import photographs
from tests.e2e.browser import Browser, chromium
from tests.terminals import run_in_terminal

_GUIDES = Path(__file__).parents[1] / "docs" / "guides"
_OF_A_CLASS = 6  # photographs
_WIDTH = 80  # columns
_SWEEP = ("sweep", "photos", "--droprate", "0", "0.2", "0.5", "0.8")
_SCREENS = {"screen": 1280, "phone": 390}  # pixels
_TALLEST = 12_000  # pixels of a picture of a whole page


def main() -> None:
    options = argparse.ArgumentParser(
        description="Makes pictures of the terminal, the report and the stored notebooks."
    )
    options.add_argument("--out", type=Path, required=True, help="folder of the pictures")
    options.add_argument(
        "--data", type=Path, help="photographs in train/ (default: clothing/ below MANYHEADS_DATA)"
    )
    options.add_argument(
        "--run", type=Path, help="a run folder whose report is shown (default: that of the sweep)"
    )
    args = options.parse_args()
    if not all(map(shutil.which, ("chromium", "chromedriver"))):
        sys.exit("expected chromium and chromedriver on PATH; install them")
    data = photographs(args.data, real=True)
    args.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        few_photographs(data, folder / "photos")
        text = terminal_text(folder)
        (args.out / "terminal.txt").write_text(text, encoding="utf-8")
        pages = {"terminal": terminal_page(text, folder / "terminal.html")}
        pages["report"] = (args.run or folder / "runs" / "photos").absolute() / "report.html"
        pages |= notebook_pages(folder)
        with chromium(folder / "profile") as browser:
            for title, page in pages.items():
                for path in pictures(browser, title, page, args.out):
                    print(path)


def few_photographs(data: Path, target: Path) -> None:
    """Copy the first photographs of each class."""
    for label in sorted(each for each in (data / "train").iterdir() if each.is_dir()):
        (target / label.name).mkdir(parents=True)
        for photograph in sorted(label.iterdir())[:_OF_A_CLASS]:
            shutil.copy(photograph, target / label.name)


def terminal_text(folder: Path) -> str:
    """What a sweep of the photographs in `folder` leaves in a terminal, line by line."""
    told = run_in_terminal(_SWEEP, folder, _WIDTH)
    if told.code:
        sys.exit(f"the sweep ended with {told.code}:\n{told.text[-2000:]}")
    return "\n".join(told.screen.lines).strip("\n") + "\n"


def terminal_page(text: str, target: Path) -> Path:
    """The text as rich draws a terminal, on a page."""
    from rich.console import Console
    from rich.text import Text

    lines = text.splitlines()
    with Path("/dev/null").open("w") as nowhere:
        console = Console(record=True, width=_WIDTH, file=nowhere)
        console.print(Text("\n".join(lines)), soft_wrap=True)
    svg = console.export_svg(title=f"manyheads {' '.join(_SWEEP)}")
    target.write_text(f'<meta charset="utf-8"><body style="margin:0">{svg}', encoding="utf-8")
    return target


def notebook_pages(folder: Path) -> dict[str, Path]:
    """The stored notebooks as pages; none where nbconvert is not installed."""
    try:
        from nbconvert import HTMLExporter  # pyright: ignore[reportMissingImports]
    except ImportError:
        print("nbconvert is not installed, so there are no pictures of notebooks")
        return {}
    pages = {}
    for path in sorted(_GUIDES.glob("*.ipynb")):
        body, _ = HTMLExporter(embed_images=True).from_filename(str(path))
        page = folder / f"{path.stem}.html"
        page.write_text(body, encoding="utf-8")
        pages[f"notebook-{path.stem}"] = page
    return pages


def pictures(browser: Browser, title: str, page: Path, out: Path) -> list[Path]:
    """Pictures of a page: of a report in every width and scheme, of others in one."""
    made = []
    is_report = title == "report"
    for device, width in _SCREENS.items() if is_report else [("screen", 1000)]:
        for scheme in ("light", "dark") if is_report else ("light",):
            name = f"{title}-{device}-{scheme}" if is_report else title
            browser.show(width, scheme=scheme)
            browser.open(page)
            made.append(_picture(browser, out / f"{name}.png"))
            height = browser.run("return document.documentElement.scrollHeight")
            browser.show(width, min(int(height), _TALLEST), scheme=scheme)
            made.append(_picture(browser, out / f"{name}-whole.png"))
    return made


def _picture(browser: Browser, path: Path) -> Path:
    shown = browser.tell("Page.captureScreenshot", format="png")
    path.write_bytes(base64.b64decode(shown["data"]))
    return path


if __name__ == "__main__":
    main()
