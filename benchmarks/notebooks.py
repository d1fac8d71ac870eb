"""Do the guides' notebooks run? Executes them, and stores them with what they show.

    python -m benchmarks.notebooks                   all, some five minutes on two cores
    python -m benchmarks.notebooks lesson            one of them

It needs a kernel: pip install ipykernel nbclient. Cells work in a folder with `clothing`, the
lesson's photographs, and `photos`, a few of them in class folders; what has been computed before
is taken from the cache. What a run of other times would change is not stored: progress, and times.
Figures are stored as SVG, so that a notebook is text, and small.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.machine import ROOT, parser, photographs

GUIDES = ROOT / "docs" / "guides"
LARGEST = 500_000  # bytes of a notebook
_OF_A_CLASS = 6  # photographs in `photos`
_TIMEOUT = 3600  # seconds that a cell may take

# Before the first cell: figures as SVG, whose bytes depend on nothing but the figure.
_SETUP = """
import matplotlib

shell = get_ipython()
matplotlib.rcParams.update({"svg.hashsalt": "manyheads", "svg.fonttype": "none"})
without_date = {"metadata": {"Date": None}, "bbox_inches": "tight"}
shell.config.InlineBackend.figure_formats = ["svg"]
shell.config.InlineBackend.print_figure_kwargs = without_date
shell.display_formatter.formatters["image/png"].enabled = False


def drawn(figure):
    import io

    file = io.StringIO()
    figure.savefig(file, format="svg", **without_date)
    return file.getvalue()


svg = shell.display_formatter.formatters["image/svg+xml"]
svg.for_type_by_name("manyheads.report.notebook_figure", "NotebookFigure", drawn)
"""


def main() -> None:
    options = parser("Executes the guides' notebooks, and stores them with their outputs.")
    options.add_argument("names", nargs="*", metavar="NAME", help="such as lesson (default: all)")
    args = options.parse_args()
    known = {path.stem: path for path in sorted(GUIDES.glob("*.ipynb"))}
    for name in args.names:
        if name not in known:
            options.error(f"expected one of {', '.join(known)}, found {name!r}")
    data = photographs(args.data, real=True)
    for name in args.names or known:
        with tempfile.TemporaryDirectory() as folder:
            print(f"{name} …", flush=True)
            stored = execute(known[name], Path(folder), data)
        known[name].write_text(stored, encoding="utf-8")
        print(f"written to {known[name]}: {len(stored) / 1000:.0f} kB")


def execute(path: Path, folder: Path, data: Path) -> str:
    """The notebook in `path` with the outputs of its cells, executed in `folder`, as text."""
    try:
        import nbformat  # pyright: ignore[reportMissingImports]
        from nbclient import NotebookClient  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        sys.exit(f"expected {error.name} and a kernel; run pip install ipykernel nbclient")
    prepare(folder, data)
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.insert(0, nbformat.v4.new_code_cell(_SETUP))
    where = {"metadata": {"path": str(folder)}}
    NotebookClient(
        notebook, timeout=_TIMEOUT, kernel_name="python3", resources=where, record_timing=False
    ).execute()
    del notebook.cells[0]
    document = json.loads(nbformat.writes(notebook))
    return json.dumps(stored(document, folder), indent=1, ensure_ascii=False) + "\n"


def prepare(folder: Path, data: Path) -> None:
    """Put the data sets that the guides name into a folder."""
    (folder / "clothing").symlink_to(data, target_is_directory=True)
    for label in sorted(each for each in (data / "train").iterdir() if each.is_dir()):
        target = folder / "photos" / label.name
        target.mkdir(parents=True)
        for photograph in sorted(label.iterdir())[:_OF_A_CLASS]:
            shutil.copy(photograph, target)


def stored(notebook: dict[str, Any], folder: Path) -> dict[str, Any]:
    """A notebook that was executed in `folder`, less what another run would change.

    Its metadata tell of which code the outputs are.
    """
    for number, cell in enumerate(code_cells(notebook), 1):
        cell["execution_count"] = number
        cell["metadata"] = {}
        cell["outputs"] = [each for each in cell["outputs"] if not _is_progress(each)]
        for output in cell["outputs"]:
            if "execution_count" in output:
                output["execution_count"] = number
            output.pop("transient", None)
    notebook["metadata"] = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
        "manyheads": {"outputs_of": code_digest(notebook)},
    }
    text = json.dumps(notebook)
    for place in {str(folder), str(folder.resolve())}:
        text = text.replace(f"{place}/", "").replace(place, ".")
    return json.loads(text)


def code_cells(notebook: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The cells with code, in order."""
    return (each for each in notebook["cells"] if each["cell_type"] == "code")


def code_digest(notebook: dict[str, Any]) -> str:
    """A digest of the code of all cells."""
    code = "\n".join("".join(each["source"]) for each in code_cells(notebook))
    return hashlib.sha256(code.encode()).hexdigest()[:16]


def _is_progress(output: dict[str, Any]) -> bool:
    """Whether an output is the bar of a step, which is there while a cell runs."""
    shown = output.get("data", {}).get("text/html")
    if output["output_type"] != "display_data" or shown is None:
        return False
    page = "".join(shown)
    return "<progress" in page or not page.strip()  # nothing is left of it in the end


if __name__ == "__main__":
    main()
