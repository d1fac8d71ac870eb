"""`manyheads serve`: models that answer over HTTP, and on a page."""

from __future__ import annotations

import argparse
from contextlib import ExitStack
from typing import TYPE_CHECKING

from manyheads.cli import options
from manyheads.core.job import Job

if TYPE_CHECKING:
    from manyheads.web.service.served_models import ModelEdition


def add(commands) -> argparse.ArgumentParser:
    """Add the command to the parser's `commands`."""
    parser = commands.add_parser(
        "serve",
        help="answer images over HTTP and on a page in the browser",
        description="Serve finished models: on a page in the browser, by POST /predict, and by the "
        "Open Inference Protocol. Answers are those of `manyheads predict`, byte for byte. Only "
        "this machine reaches the server unless --host says otherwise, and then a token is "
        "needed. SIGHUP opens the models anew; SIGTERM or Ctrl-C ends it once what it was asked "
        "is answered.",
    )
    parser.add_argument(
        "models", metavar="MODEL", nargs="+",
        help="run folder or model file; NAME=MODEL gives it another name than its folder's or "
        "file's. POST /predict asks the first",
    )  # fmt: skip
    options.add_address(parser, 8000)
    load = parser.add_argument_group("load")
    load.add_argument(
        "--max-batch",
        metavar="N",
        help="images in a pass of the network, at most (default: as many as its program takes)",
    )
    load.add_argument(
        "--queue", default=256, metavar="N",
        help="images that are held at a time, of each model; more are answered with 503 "
        "(default: %(default)s)",
    )  # fmt: skip
    load.add_argument(
        "--timeout",
        default=30.0,
        metavar="SECONDS",
        help="time for an answer; what takes longer is answered with 504 (default: %(default)g)",
    )
    load.add_argument(
        "--max-bytes",
        default="64M",
        metavar="SIZE",
        help="size of a request, at most (default: %(default)s)",
    )
    load.add_argument(
        "--device", default="cpu", metavar="NAME",
        help="where the network computes: cpu; cuda or cuda:N, an NVIDIA card; gpu or npu, those "
        "of Intel; auto (default: %(default)s)",
    )  # fmt: skip
    return parser


def run(args: argparse.Namespace, job: Job) -> None:
    """Run the command."""
    from manyheads.cli.screen import shown
    from manyheads.core.text import counted
    from manyheads.web.shared.serve_extra import require_serve_extra

    require_serve_extra("serve")
    from manyheads.web.service.serving import serve, settings_of, token_from

    settings = settings_of(
        args.models, host=args.host, port=args.port, token=token_from(args.token_file),
        allow_host=tuple(args.allow_host), max_batch=args.max_batch, queue=args.queue,
        timeout=args.timeout, max_bytes=args.max_bytes, device=args.device,
    )  # fmt: skip

    lines: list[str] = []

    def opened(name: str, edition: ModelEdition) -> None:
        card = edition.classifier.card
        noun = "label" if card.several_labels else "class"
        size, classes = card.image.size, counted(len(card.classes), noun)
        lines.append(f"Serving   {name}: {card.backbone} at {size} pixels, {classes}")

    def ready(address: str) -> None:
        opening.close()
        known = "" if settings.token is None else "?token=TOKEN, once in each browser"
        lines.append(f"Page      {address}/{known}")
        lines.append(f"HTTP      curl -F image=@photo.jpg {address}/predict")
        lines.append("Stop      Ctrl-C")
        print("\n".join(lines), flush=True)
        if args.open:
            _open(address, settings.token)

    with ExitStack() as opening:
        serve(settings, opening.enter_context(shown(job)), opened, ready)


def _open(address: str, token: str | None) -> None:
    """Open the page in the browser, without waiting for it."""
    import threading
    import webbrowser
    from urllib.parse import quote

    page = f"{address}/" if token is None else f"{address}/?token={quote(token)}"
    threading.Thread(target=webbrowser.open, args=(page,), daemon=True).start()
