"""The command line: reads the arguments, runs a command, and turns errors into one line.

Exit codes: 0 done; 1 a problem with the input or the world; 2 usage; 130 interrupted, resumable.
Nothing heavy is imported before the command that needs it runs.
"""

from __future__ import annotations

import argparse
import atexit
import errno
import gc
import os
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from manyheads import __version__
from manyheads.cli import (
    backbones,
    check,
    claims,
    compare,
    demo,
    explain,
    export,
    extract,
    features,
    fit,
    import_,
    lesson,
    output,
    predict,
    publish,
    report,
    runs,
    serve,
    shortcut,
    split,
    studio,
    sweep,
    test,
)
from manyheads.cli.completion import SHELLS, PrintCompletion
from manyheads.cli.parser import Parser, with_flags
from manyheads.core.job import Job
from manyheads.errors import DiskError, Interrupted, ManyheadsError

GROUPS = {
    "data": (check, split, extract, features),
    "train": (demo, fit, sweep, lesson, backbones),
    "judge": (runs, compare, claims, shortcut, report, test),
    "use": (predict, explain, serve, studio, export, import_, publish),
}
COMMANDS = tuple(module for modules in GROUPS.values() for module in modules)
_GRACE = 2.0  # seconds that a first Ctrl-C leaves for stopping in good order
# Seconds after which it ends whatever else happens: a library that compiles a network, or waits
# for a busy disk, does not return to Python, which therefore cannot interrupt it.
_LAST = 4.0
_STOPPED = Interrupted("the command", "repeat it to resume")


def build_parser() -> Parser:
    """The parser of the whole command line."""
    parser = Parser(
        prog="manyheads",
        description="Train thousands of heads on one frozen backbone, and learn which "
        "differences are real.",
        epilog="Start with `manyheads demo`. Every command explains itself with --help. What can "
        "be made again (weights, features, programs) is kept in the user's cache folder, or in the "
        "one that the environment variable MANYHEADS_CACHE names.",
    )
    parser.add_argument("--version", action="version", version=f"manyheads {__version__}")
    parser.add_argument(
        "--print-completion", metavar="SHELL", choices=SHELLS, action=PrintCompletion,
        help="print a script that completes commands and options in bash, zsh or fish, for its "
        "configuration: eval \"$(manyheads --print-completion bash)\"",
    )  # fmt: skip
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for title, modules in GROUPS.items():
        for module in modules:
            command = module.add(commands)
            for each in command.leaves:
                each.add_argument(
                    "--debug", action="store_true", help="show the traceback of an error"
                )
                each.set_defaults(run=module.run, parser=each)
            parser.groups.setdefault(title, []).append(command.prog.split()[-1])
    leaves = [each for command in commands.choices.values() for each in command.leaves]
    every = {**commands.choices, **{each.prog.partition(" ")[2]: each for each in leaves}}
    for each in (parser, *leaves):
        each.commands = every
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    output.make_printable(sys.stdout, sys.stderr)
    with output.guarded_streams():
        try:
            parser = build_parser()
            args = parser.parse_args(arguments)
        except SystemExit as end:  # after --help, or a wrong usage
            raise SystemExit(_flushed(end.code)) from None
        Parser.running = args.parser
        try:
            return _flushed(_answer(args))
        finally:
            Parser.running = None


def _answer(args: argparse.Namespace) -> int:
    # At the end the system frees all memory at once: a last search for garbage in what the imports
    # of a study leave behind takes a third of a second.
    atexit.register(gc.freeze)
    job = Job()
    with warnings.catch_warnings(), _interrupts(job), _without_network(args):
        # What a library deprecates or advises is not the user's concern.
        if not args.debug and not sys.warnoptions:
            warnings.simplefilter("ignore")
        return _run(args, job)


@contextmanager
def _without_network(args: argparse.Namespace) -> Iterator[None]:
    """Let nothing be fetched, in child processes neither, if `args` ask for that."""
    name = "MANYHEADS_OFFLINE"  # `download.OFFLINE`, which no command should have to load
    before = os.environ.get(name)
    if not getattr(args, "offline", False) or before:
        yield
        return
    os.environ[name] = "1"
    try:
        yield
    finally:
        del os.environ[name]


def _run(args: argparse.Namespace, job: Job) -> int:
    try:
        args.run(args, job)
    except Interrupted as error:
        return _say(error, 130, args.debug)
    except ManyheadsError as error:
        # Ctrl-C reaches child processes too, and what they then report is not the cause.
        if job.stopped:
            return _say(_STOPPED, 130, args.debug)
        return _say(error, 1, args.debug)
    except KeyboardInterrupt:
        return _say(_STOPPED, 130, args.debug)
    except output.Refused as error:
        return _say_refused(error)
    except OSError as error:
        return _say(_problem_of(error), 1, args.debug)
    except MemoryError:
        return _say(ManyheadsError("enough memory", "none left", _less(args)), 1, debug=False)
    return 0


def _flushed(code: Any) -> Any:
    """The exit `code`, or another if what was printed does not reach its reader."""
    error = output.refusal()
    return code if error is None or code else _say_refused(error)


def _say_refused(error: output.Refused) -> int:
    if error.errno == errno.EPIPE:
        # Whoever read the output has read enough (`manyheads … | head`); what is left goes nowhere.
        return 0
    reason = _problem_of(error).found
    remedy = "send it elsewhere and repeat the command: what was finished is kept"
    return _say(DiskError("to write the output", reason, remedy), 1, debug=False)


def _problem_of(error: OSError) -> DiskError:
    from manyheads.core.places import system_problem

    return system_problem(error)


def _less(args: argparse.Namespace) -> str:
    """What takes less memory, of what the command lets one choose."""
    smaller = [f"`{name}`" for name in ("image_size", "batch_size", "keep_heads")
               if hasattr(args, name)]  # fmt: skip
    ways = [f"a smaller {' or '.join(smaller)}"] if smaller else []
    ways += ["fewer candidates"] if hasattr(args, "droprate") else []
    return f"use {' or '.join(ways)}" if ways else "end other programs, or use a larger machine"


def _say(error: ManyheadsError, code: int, debug: bool) -> int:
    if debug:
        traceback.print_exc()
    line = " ".join(str(error).split())
    print(output.in_words(f"manyheads: {with_flags(line)}", sys.stderr), file=sys.stderr)
    return code


@contextmanager
def _interrupts(job: Job) -> Iterator[None]:
    """A first Ctrl-C asks for an end in good order; a second, or the end of grace, forces it.

    A thread ends the process where even that is of no effect. Files are complete at any time.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    has_alarm = hasattr(signal, "SIGALRM")
    last = threading.Timer(_LAST, _end)
    last.daemon = True

    def force(*_: object) -> None:
        raise KeyboardInterrupt

    def ask(*_: object) -> None:
        job.stop()
        last.start()
        print("\nstopping …", file=sys.stderr)
        signal.signal(signal.SIGINT, force)
        if has_alarm:
            signal.signal(signal.SIGALRM, force)
            signal.setitimer(signal.ITIMER_REAL, _GRACE)

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield
    finally:
        last.cancel()
        if has_alarm:
            signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGINT, before)


def _end() -> None:
    """End the process, which has been asked to stop and has not."""
    # Through the descriptor: the thread that is stuck may hold the lock of the stream.
    line = f"manyheads: {_STOPPED}\n"
    with suppress(OSError):
        os.write(2, line.encode())
    os._exit(130)


if __name__ == "__main__":
    sys.exit(main())
