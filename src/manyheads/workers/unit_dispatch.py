"""Units given to workers of any kind: two to each, again after a death, twice where one is slow."""

from __future__ import annotations

import reprlib
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from itertools import count
from statistics import median
from typing import Any

from manyheads.core.job import SILENT, Job
from manyheads.core.text import counted
from manyheads.core.workers import Context, Result, Unit, WorkerResources
from manyheads.errors import RunError, WorldError
from manyheads.workers.crew import Crew
from manyheads.workers.worker_host import Raised, Reference, Returned

_AHEAD = 2  # units of a worker in flight: while one's result is taken, it works on the other
_DEATHS = 3  # workers that may die of one unit, or for each place before one of them begins
_PLACES = 4  # places of which that counts
_SLOW = 3.0  # times the median from which on a unit is given to an idle worker too
_LEAST = 1.0  # seconds that a unit may take anyway
_PATIENCE = 0.1  # seconds between two looks at the job
_OTHERS = 10.0  # seconds for which the first worker that is there waits for others


@dataclass
class _Flight:
    """A unit that a worker was given: its number, its future, and when the worker got to it."""

    number: int
    future: Future[Returned | Raised]
    began: float


@dataclass
class _Seat:
    """A place for a worker: the one that is there, and how it stands with the map under way."""

    place: int
    hello: Future[WorkerResources] | None = None
    resources: WorkerResources | None = None
    checking: Future[Returned | Raised] | None = None
    admitted: bool = False
    refused: bool = False
    flights: deque[_Flight] = field(default_factory=deque[_Flight])
    left: Future[Returned | Raised] | None = None
    """What it still computes of an earlier map, whose results are all there."""

    @property
    def begins(self) -> bool:
        """Whether its worker is on the way to its first unit."""
        return self.checking is not None or (self.hello is not None and self.resources is None)

    def stillborn(self) -> BaseException | None:
        """Why its worker has not begun, if it has died first."""
        begins = self.resources is None and self.hello is not None and self.hello.done()
        return self.hello.exception() if begins and self.hello is not None else None

    def futures(self) -> list[Future[Any]]:
        """What is awaited of it."""
        awaited = [self.hello if self.resources is None else None, self.checking, self.left]
        return [each for each in awaited if each is not None] + [
            each.future for each in self.flights
        ]


class DispatchedWorkers:
    """`Workers` of any kind: those of a `crew`, which was `asked` for so."""

    def __init__(self, crew: Crew, asked: str = "") -> None:
        self._crew = crew
        self.asked = asked or crew.words
        self._seats = [_Seat(place) for place in range(crew.places)]
        self.used: list[WorkerResources] = []
        self._numbers = count(1)
        self._mapping = False

    @property
    def here(self) -> bool:
        """Whether all of them are on this machine, and use the cache that this process uses."""
        return self._crew.here

    @property
    def words(self) -> str:
        """What they are."""
        return self._crew.words

    def map(
        self,
        function: Callable[[Context, Unit], Result],
        context: Context,
        units: Iterable[Unit],
        *,
        check: Callable[[Context], str] | None = None,
        job: Job = SILENT,
    ) -> Generator[tuple[int, Result]]:
        """See `Workers.map`; raises `RuntimeError` while another map is under way."""
        if self._mapping:
            raise RuntimeError("another map of these workers is under way: close it first")
        self._mapping = True
        try:
            reference = self._crew.keep(next(self._numbers), context)
            under_way = _Map(self._crew, self._seats, reference, function, check, job)
            try:
                yield from under_way.results(iter(units))
            finally:
                self.used += [each for each in under_way.used if each not in self.used]
                under_way.leave()
                self._crew.drop(reference)
        finally:
            self._mapping = False

    def cancel(self) -> None:
        """End what is in flight, and the workers."""
        self._seats = [_Seat(place) for place in range(self._crew.places)]
        self._crew.close()

    def resources(self) -> list[WorkerResources]:
        """The workers that there are; raises `RunError` if none begins within its patience."""
        began, unborn = time.monotonic(), 0
        found: list[WorkerResources] = []
        while len(found) < len(self._seats):
            self._crew.require()
            for seat in self._seats:
                _begin(self._crew, seat)
                if (error := seat.stillborn()) is not None:
                    seat.hello = None
                    unborn += 1
                    if not self._crew.died(error):
                        raise error
                    if unborn >= _most_unborn(self._seats):
                        raise _stillborn(unborn, error)
            found = [each.resources for each in self._seats if each.resources is not None]
            waited = time.monotonic() - began
            if waited > (_OTHERS if found else self._crew.patience):
                break
            wait([f for seat in self._seats for f in seat.futures()], timeout=_PATIENCE)
        if not found:
            raise _absent(self._crew)
        return found


class _Map:
    """One map: which units are drawn, given, dead and done."""

    def __init__(
        self,
        crew: Crew,
        seats: list[_Seat],
        reference: Reference,
        function: Callable[..., Any],
        check: Callable[[Any], str] | None,
        job: Job,
    ) -> None:
        self._crew, self._seats, self._reference = crew, seats, reference
        self._function, self._check, self._job = function, check, job
        self._units: dict[int, Any] = {}  # drawn and without a result
        self._waiting: deque[int] = deque()
        self._deaths: dict[int, int] = {}
        self._unborn = 0  # workers that died before they began, since the last result
        self._took: deque[float] = deque(maxlen=101)
        self._source: Iterator[Any] = iter(())
        self._drawn, self._all_drawn, self._whole = 0, False, False
        self._seen = time.monotonic()  # when a worker was there last
        self.used: list[WorkerResources] = []
        for seat in seats:
            seat.admitted = seat.refused = False

    def results(self, source: Iterator[Any]) -> Generator[tuple[int, Any]]:
        """The results as they come."""
        self._source = source
        while not self._job.stopped:
            self._crew.require()
            for ahead in range(_AHEAD):
                for seat in self._seats:
                    self._provide(seat, ahead)
            if self._all_drawn and not self._units:
                self._whole = True
                return
            self._require_workers()
            futures = [future for seat in self._seats for future in seat.futures()]
            wait(futures, timeout=_PATIENCE, return_when=FIRST_COMPLETED)
            for seat in self._seats:
                for number, value in self._landed(seat):
                    yield number, value
                    if self._job.stopped:
                        return

    def leave(self) -> None:
        """Nothing of this map is under way any more, but for what an idle worker did as well."""
        for seat in self._seats:
            if seat.checking is not None or (seat.flights and not self._whole):
                self._end(seat)
            elif seat.flights:
                # Another worker was faster. To end this one would cost what it has prepared.
                seat.left = seat.flights[-1].future
                seat.flights.clear()

    def _provide(self, seat: _Seat, ahead: int) -> None:
        """Start the worker of a seat, or give it a unit if it has no more than `ahead`."""
        if seat.refused or seat.left is not None:
            return
        if not seat.admitted:
            if seat.begins or self._needs_another():
                self._admit(seat)
            return
        if len(seat.flights) != ahead:
            return
        number = self._next()
        if number is None and not seat.flights:
            number = self._slow()
        if number is None:
            return
        future = self._crew.call(seat.place, self._reference, self._function, self._units[number])
        seat.flights.append(_Flight(number, future, time.monotonic()))

    def _needs_another(self) -> bool:
        """Whether there is a unit for one more worker than there are or begin."""
        begun = sum(each.begins for each in self._seats)
        while len(self._waiting) <= begun and self._draw():
            pass
        return len(self._waiting) > begun

    def _admit(self, seat: _Seat) -> None:
        _begin(self._crew, seat)
        if seat.resources is None or seat.checking is not None:
            return
        if self._check is None:
            seat.admitted = True
            self.used.append(seat.resources)
        else:
            seat.checking = self._crew.call(seat.place, self._reference, self._check)

    def _next(self) -> int | None:
        if not self._waiting:
            self._draw()
        return self._waiting.popleft() if self._waiting else None

    def _draw(self) -> bool:
        """Whether one more unit has been drawn, which waits for a worker now."""
        if self._all_drawn or len(self._units) >= _AHEAD * len(self._seats):
            return False
        try:
            unit = next(self._source)
        except StopIteration:
            self._all_drawn = True
            return False
        self._units[self._drawn] = unit
        self._waiting.append(self._drawn)
        self._drawn += 1
        return True

    def _slow(self) -> int | None:
        """A unit to be computed by a second worker, now that no other waits."""
        if not self._all_drawn:
            return None
        counts = [flight.number for seat in self._seats for flight in seat.flights]
        now = time.monotonic()
        longest, found = 0.0, None
        for seat in self._seats:
            for place, flight in enumerate(seat.flights):
                if counts.count(flight.number) > 1 or flight.number not in self._units:
                    continue
                if place:  # it waits for its worker
                    return flight.number
                taken = now - flight.began
                if self._took and taken > max(_SLOW * median(self._took), _LEAST, longest):
                    longest, found = taken, flight.number
        return found

    def _landed(self, seat: _Seat) -> Iterator[tuple[int, Any]]:
        """What has come of a seat: results, its worker's check, or its death."""
        if seat.left is not None and seat.left.done():
            dead, seat.left = seat.left.exception(), None
            if dead is not None:
                self._end(seat)
        if (error := seat.stillborn()) is not None:
            self._bury(seat, error)
        if seat.checking is not None and seat.checking.done():
            self._checked(seat, seat.checking)
        while seat.flights and seat.flights[0].future.done():
            flight = seat.flights[0]
            if (error := flight.future.exception()) is not None:
                self._bury(seat, error)
                return
            seat.flights.popleft()
            now = time.monotonic()
            self._seen, self._unborn = now, 0
            if seat.flights:
                seat.flights[0].began = now
            outcome = flight.future.result()
            if flight.number not in self._units:
                continue
            if isinstance(outcome, Raised):
                raise outcome.again()
            self._took.append(now - flight.began)
            del self._units[flight.number]
            yield flight.number, outcome.value

    def _checked(self, seat: _Seat, checking: Future[Returned | Raised]) -> None:
        if (error := checking.exception()) is not None:
            self._bury(seat, error)
            return
        seat.checking = None
        outcome = checking.result()
        if isinstance(outcome, Raised) and not isinstance(outcome.error, WorldError):
            raise outcome.again()
        # A full disk of its machine refuses a worker, and is no fault of the others.
        reason = str(outcome.error) if isinstance(outcome, Raised) else outcome.value
        seat.admitted, seat.refused = not reason, bool(reason)
        self._seen = time.monotonic()
        if (known := seat.resources) is not None and seat.admitted:
            self.used.append(known)
        elif known is not None:
            self._job.note(
                f"{known.name} on {known.node} is not used: {reason} "
                f"(it has {known.processor}; {_versions(known)})"
            )
        if all(each.refused for each in self._seats):
            raise RunError(
                "a worker that computes what this machine computes",
                f"none among {counted(len(self._seats), 'worker')}: {reason}",
                "use machines of one kind with the same versions, or leave out `workers`",
            )

    def _bury(self, seat: _Seat, error: BaseException) -> None:
        """A worker has died: what it had in flight is given again, and another one is started."""
        flights = list(seat.flights)
        began = seat.admitted
        self._end(seat)
        if not self._crew.died(error):
            raise error
        self._crew.require()
        if flights and flights[0].number in self._units:
            self._blame(flights[0].number)
        in_flight = {flight.number for each in self._seats for flight in each.flights}
        lost = [each.number for each in flights if each.number in self._units]
        self._waiting.extendleft(number for number in reversed(lost) if number not in in_flight)
        self._unborn += not began
        if self._unborn >= _most_unborn(self._seats):
            raise _stillborn(self._unborn, error)

    def _blame(self, number: int) -> None:
        self._deaths[number] = deaths = self._deaths.get(number, 0) + 1
        if deaths >= _DEATHS:
            raise RunError(
                f"unit {number + 1} to be computed",
                f"{counted(deaths, 'worker')} that died of it: {reprlib.repr(self._units[number])}",
                "check the memory that is free and what the unit holds; the same command resumes",
            )

    def _end(self, seat: _Seat) -> None:
        self._crew.end(seat.place)
        seat.hello = seat.resources = seat.checking = seat.left = None
        seat.admitted = False
        seat.flights.clear()

    def _require_workers(self) -> None:
        """Raise `RunError` if no worker has been there for too long."""
        if any(seat.admitted or seat.checking for seat in self._seats):
            self._seen = time.monotonic()
        elif time.monotonic() - self._seen > self._crew.patience:
            raise _absent(self._crew)


def _begin(crew: Crew, seat: _Seat) -> None:
    """Start the worker of a seat, or learn what the one is that has been started."""
    if seat.hello is None:
        seat.hello = crew.start(seat.place)
    elif seat.resources is None and seat.hello.done() and seat.hello.exception() is None:
        seat.resources = seat.hello.result()


def _most_unborn(seats: list[_Seat]) -> int:
    """How many workers may die one after the other before any of them begins."""
    return _DEATHS * min(len(seats), _PLACES)


def _stillborn(deaths: int, error: BaseException) -> RunError:
    reason = " / ".join(str(error).strip().splitlines()[-2:])
    return RunError(
        "workers that begin", f"{counted(deaths, 'worker')} that died first: {reason}",
        "check the memory that is free, and that all machines have the same manyheads",
    )  # fmt: skip


def _absent(crew: Crew) -> RunError:
    return RunError(
        f"a worker that begins within {crew.patience:g} seconds", f"none of {crew.words}",
        "check that the machines are there, and have cores and memory left",
    )  # fmt: skip


def _versions(known: WorkerResources) -> str:
    return ", ".join(f"{name} {version}" for name, version in known.versions.items())
