"""One line that says what was expected, what was found and what to do; and survives a process."""

from __future__ import annotations

import inspect
import pickle

import pytest

from manyheads import errors

CLASSES = [
    value
    for _, value in inspect.getmembers(errors, inspect.isclass)
    if issubclass(value, errors.ManyheadsError) and value is not errors.Interrupted
]


@pytest.mark.parametrize("kind", CLASSES)
def test_message_reads_expected_found_remedy(kind):
    error = kind("a cat", "a dog", "bring a cat")
    assert str(error) == "expected a cat, found a dog; bring a cat"


@pytest.mark.parametrize("kind", CLASSES)
def test_errors_survive_pickling(kind):
    error = pickle.loads(pickle.dumps(kind("a cat", "a dog", "bring a cat")))
    assert type(error) is kind
    assert (error.expected, error.found, error.remedy) == ("a cat", "a dog", "bring a cat")


def test_interrupted_names_the_work_and_survives_pickling():
    error = pickle.loads(pickle.dumps(errors.Interrupted("training", "repeat the command")))
    assert str(error) == "stopped before training was finished; repeat the command"
    assert error.what == "training"


def test_the_tree_is_drawn_as_it_is():
    lines = (errors.__doc__ or "").splitlines()
    depth = {}
    for line in lines:
        name = line.strip(" │├└─").split(" ")[0]
        if hasattr(errors, name):
            depth[name] = len(line) - len(line.lstrip(" │├└─"))
    for kind in [*CLASSES, errors.Interrupted]:
        if kind is errors.ManyheadsError:
            continue
        parent = kind.__mro__[1]
        assert depth[kind.__name__] - depth[parent.__name__] == 4


def test_bad_input_and_a_bad_world_are_told_apart():
    assert not issubclass(errors.DataError, errors.WorldError)
    assert not issubclass(errors.DownloadError, errors.InputError)
    assert not issubclass(errors.Interrupted, errors.InputError | errors.WorldError)
