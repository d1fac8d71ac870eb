"""A backbone in forks of a process that has used it: servers and data loaders fork."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

_PROGRAM = """
import os, sys
import numpy as np
from manyheads.backbones import registry, weights
from manyheads.backbones.compiled import compile_backbone
from manyheads.errors import ManyheadsError

spec = registry.get("mobilenet_v3_small")
backbone = compile_backbone(spec, weights.resolve(spec, "random:1"), 32)
images = np.random.default_rng(0).integers(0, 256, (20, 32, 32, 3), np.uint8)

def features():
    found = dict(backbone.run([(0, images[:16]), (1, images[16:])]))
    return np.concatenate([found[0], found[1]])

def in_child(work, leave):
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1]
    same = work()
    leave(0 if same else 3)

first = features()
"""

_WORK = {
    "uses it": "lambda: np.array_equal(features(), first)",
    "does nothing with it": "lambda: True",
    "drops it": "lambda: globals().pop('backbone') is not None",
    "forks again": "lambda: np.array_equal(features(), first) and "
    "in_child(lambda: np.array_equal(features(), first), sys.exit) == 0",
}


def run(program: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _PROGRAM + program],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert not done.stderr


@pytest.mark.when_changed("backbones")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.parametrize("work", _WORK)
@pytest.mark.parametrize("leave", ["sys.exit", "os._exit"])
def test_a_fork_gives_the_same_features_and_ends(work: str, leave: str) -> None:
    # The parent works on, too.
    run(f"assert in_child({_WORK[work]}, {leave}) == 0\nassert np.array_equal(features(), first)\n")


@pytest.mark.when_changed("backbones")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_what_was_begun_before_a_fork_is_refused_in_the_child() -> None:
    run("""
begun = backbone.run((n, images[:16]) for n in range(50))
next(begun)
def refused():
    try:
        list(begun)
    except ManyheadsError as error:
        return "a fork of it" in str(error)
assert in_child(refused, sys.exit) == 0
assert len(list(begun)) == 49
""")


@pytest.mark.when_changed("backbones")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_fork_begins_anew_where_the_parent_has_freed_what_it_used() -> None:
    """OpenVINO keeps the threads of what was freed for the next program, and a fork has none."""
    run("""
def anew():
    with compile_backbone(spec, weights.resolve(spec, "random:1"), 32) as other:
        return np.array_equal(dict(other.run([(0, images[:16])]))[0], first[:16])

with backbone:
    pass
assert in_child(lambda: anew() and in_child(anew, os._exit) == 0, sys.exit) == 0
assert anew()
""")
