"""Nothing here reports to anybody, and OpenVINO leaves the signals alone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

# Loaded at the start of every Python below this one: names each attempt to reach another machine.
WATCH = """
import os, socket, sys
def refuse(name):
    def refused(*arguments, **options):
        with open(os.environ["WITNESS"], "a") as file:
            print(name, arguments[-1:], file=file)
        raise OSError("no network here")
    return refused
for name in ("getaddrinfo", "gethostbyname", "create_connection"):
    setattr(socket, name, refuse(name))
class Watched(socket.socket):
    connect = refuse("connect")
    connect_ex = refuse("connect_ex")
    sendto = refuse("sendto")
socket.socket = Watched
"""

BACKBONE = """
import numpy as np
from manyheads.backbones import registry, weights
from manyheads.backbones.compiled import compile_backbone
spec = registry.get("mobilenet_v3_small")
with compile_backbone(spec, weights.resolve(spec, "random:0"), 32) as backbone:
    list(backbone.run([(0, np.zeros((2, 32, 32, 3), np.uint8))]))
"""

KERAS = """
from manyheads.core.keras_backend import import_keras
keras = import_keras()
assert keras.config.backend() == "openvino", keras.config.backend()
"""


def attempts(program: str, folder: Path) -> list[str]:
    """What `program` tried to reach, for a user who has never answered OpenVINO's question."""
    (folder / "sitecustomize.py").write_text(WATCH)
    witness = folder / "witness"
    witness.touch()
    # Continuous integration is spared the reports, so these must not look like it.
    marks = ("CI", "TF_BUILD", "JENKINS_URL", "GITHUB_ACTIONS")
    environment = {name: value for name, value in os.environ.items() if name not in marks}
    environment |= {
        "HOME": str(folder / "home"),
        "KERAS_BACKEND": "openvino",
        "MANYHEADS_CACHE": str(folder / "cache"),
        "PYTHONPATH": str(folder),
        "WITNESS": str(witness),
    }
    (folder / "home").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert not list((folder / "home").rglob("*openvino_telemetry*"))
    return witness.read_text().splitlines()


@pytest.mark.when_changed("backbones")
@pytest.mark.parametrize("program", [BACKBONE, KERAS], ids=["backbone", "keras"])
def test_no_process_of_ours_reaches_for_the_network(program: str, tmp_path: Path) -> None:
    assert attempts(program, tmp_path) == []


def test_the_watch_sees_what_it_should(tmp_path: Path) -> None:
    program = """
import socket, subprocess, sys
for attempt in (lambda: socket.create_connection(("127.0.0.1", 9)),
                lambda: socket.socket().connect(("127.0.0.1", 9))):
    try:
        attempt()
    except OSError:
        pass
subprocess.run([sys.executable, "-P", "-c",
    "import socket, contextlib\\nwith contextlib.suppress(OSError): socket.getaddrinfo('a', 1)"])
"""
    seen = attempts(program, tmp_path)
    assert [line.split()[0] for line in seen] == ["create_connection", "connect", "getaddrinfo"]


@pytest.mark.when_changed("backbones")
def test_backbones_that_end_in_any_order_leave_signals_working() -> None:
    program = """
import signal
import numpy as np
from manyheads.backbones import registry, weights
from manyheads.backbones.compiled import compile_backbone
spec = registry.get("mobilenet_v3_small")
first, second = (compile_backbone(spec, weights.resolve(spec, "random:1"), 32) for _ in range(2))
del first
del second
signal.signal(signal.SIGINT, lambda *_: print("survived"))
signal.raise_signal(signal.SIGINT)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "survived\n"), done.stderr


@pytest.mark.when_changed("backbones")
@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="a thread's processors")
def test_processes_that_share_a_machine_choose_no_processor_each() -> None:
    # Each with one core, they would all compute on the first one.
    program = f"""
import os
from manyheads.core import machine
machine.use_cores(1)
{BACKBONE}
    passes = backbone.run((number, np.zeros((2, 32, 32, 3), np.uint8)) for number in range(6))
    next(passes)  # a thread may be bound as long as there is something to compute
    threads = [int(name) for name in os.listdir("/proc/self/task")]
    bound = [each for each in threads if os.sched_getaffinity(each) != os.sched_getaffinity(0)]
    print(len(bound))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "0\n"), done.stderr
