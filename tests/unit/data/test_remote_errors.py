"""What is said of the exceptions of libraries, some of which are not installed here."""

from __future__ import annotations

import errno
import pickle
from types import SimpleNamespace

import pytest

from manyheads.data.remote_errors import asked_pause, problem_of
from manyheads.data.remote_path import RemoteError


def with_facts(error: Exception, **facts: object) -> Exception:
    vars(error).update(facts)
    return error


def of_name(name: str, base: type[Exception] = Exception) -> Exception:
    return type(name, (base,), {})("https://host/a?signature=abcdef said so")


CASES = [
    (with_facts(ValueError(), status=503), "HTTP status 503", True),
    (with_facts(of_name("HttpError"), code=429), "HTTP status 429", True),
    (with_facts(ValueError(), response=SimpleNamespace(status_code=403)), "no access", False),
    (
        with_facts(OSError("x"), response={"ResponseMetadata": {"HTTPStatusCode": 400}}),
        "HTTP status 400", False,
    ),
    (with_facts(ValueError(), status=404), "nothing there", False),
    (with_facts(ValueError("x"), status="odd", code=7), "x", False),
    (FileNotFoundError("The specified bucket does not exist"), "no such bucket", False),
    (FileNotFoundError("my-bucket/a"), "nothing there", False),
    (of_name("DefaultCredentialsError"), "no credentials", False),
    (of_name("ClientPayloadError"), "no answer, or no whole one (… said so)", True),
    (of_name("FSTimeoutError"), "no answer", True),
    (ConnectionResetError(errno.ECONNRESET, "reset"), "no answer", True),
    (OSError(errno.EBUSY, "slow down"), "[Errno", True),
    (OSError(errno.EINVAL, "no name"), "[Errno", False),
    (NotImplementedError(), "a place that cannot be written", False),
    (of_name("SomethingElse"), "… said so", False),
]  # fmt: skip


@pytest.mark.parametrize(("error", "found", "transient"), CASES)
def test_what_an_exception_means(error: Exception, found: str, transient: bool) -> None:
    problem = problem_of("s3://b/a", error)
    assert problem.found.startswith(found)
    assert problem.transient == transient
    assert "abcdef" not in str(problem)


def test_a_cause_says_more() -> None:
    error = FileNotFoundError("https://host/a")
    error.__cause__ = with_facts(ValueError(), status=502, headers={"Retry-After": "600"})
    assert problem_of("https://host/a", error).found == "HTTP status 502"
    assert asked_pause(error) == 20
    assert asked_pause(ValueError()) == 0


def test_an_error_is_the_same_from_another_process() -> None:
    error = RemoteError("s3://b/a", "nothing there", "check the address", transient=True)
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.found, again.remedy, again.transient, again.filename) == (
        str(error), "nothing there", "check the address", True, "s3://b/a",
    )  # fmt: skip
