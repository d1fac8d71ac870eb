"""Workers that are actors of a Ray cluster."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from importlib import import_module
from typing import Any

from manyheads.core.text import counted
from manyheads.core.workers import WorkerResources
from manyheads.workers.ray_cluster import RayCluster, without_warnings
from manyheads.workers.worker_host import Raised, Reference, Returned, WorkerHost

_CORES = 4  # of a worker, at most


class RayCrew:
    """As many actors as the cluster has cores for, of up to four cores each; or so many `places`.

    `address` is `ray`, for a cluster of this machine's cores that ends with the crew, or that of a
    cluster which is there. Raises `MissingExtraError` without Ray, `SettingError` without a token
    for a cluster on another machine, and `RunError` where no cluster answers, for a wrong token,
    and for another version of Ray or Python.
    """

    patience = 60.0

    def __init__(self, address: str, places: int | None = None) -> None:
        self._cluster = RayCluster(address)
        with self._cluster.used():
            nodes = self._cluster.nodes()
        self._share = max(1, min(_CORES, *nodes))
        if places is not None:
            self._share = max(1, sum(nodes) // places)
        self.places = places or sum(count // self._share for count in nodes)
        is_own = self._cluster.address.is_own
        self.here = is_own or (len(nodes) == 1 and self._cluster.address.is_here)
        where = "a Ray cluster of this machine" if is_own else f"the Ray cluster {address}"
        each = counted(self._share, "core") + (" each" if self.places > 1 else "")
        self.words = (
            f"{counted(self.places, 'worker')} of {where}, {counted(len(nodes), 'node')}, {each}"
        )
        self._actors: dict[int, Any] = {}
        self._kept: dict[int, Any] = {}

    def start(self, place: int) -> Future[WorkerResources]:
        """Start an actor, on the node that has the most room."""
        self.end(place)
        options = {"num_cpus": self._share, "scheduling_strategy": "SPREAD", "max_restarts": 0}
        with self._cluster.used():
            self._cluster.require_head()
            remote = self._cluster.ray.remote(WorkerHost).options(**options)
            actor = remote.remote(f"worker {place + 1}", self._share, _loaded)
            self._actors[place] = actor
            return actor.introduce.remote().future()

    def keep(self, number: int, context: object) -> Reference:
        """Put a context into the object store, whose arrays the actors of a node share."""
        with self._cluster.used():
            self._kept[number] = self._cluster.ray.put(context)
        # In a list, a reference is passed as it is, and an actor gets what it refers to once.
        return Reference(number, [self._kept[number]])

    def drop(self, reference: Reference) -> None:
        """Let the object store forget a context."""
        self._kept.pop(reference.number, None)

    def call(
        self, place: int, reference: Reference, function: Callable[..., Any], *unit: Any
    ) -> Future[Returned | Raised]:
        """Let an actor call a function."""
        with self._cluster.used():
            return self._actors[place].call.remote(reference, function, *unit).future()

    def end(self, place: int) -> None:
        """Kill an actor."""
        actor = self._actors.pop(place, None)
        if actor is not None and self._cluster.answers_now():
            with suppress(Exception), without_warnings():  # it may have gone with its node
                self._cluster.ray.kill(actor)

    def died(self, error: BaseException) -> bool:
        """Whether an actor, its node, or a result that was kept there has gone."""
        known = self._cluster.ray.exceptions
        gone = known.RayActorError, known.NodeDiedError, known.ObjectLostError
        more = known.WorkerCrashedError, known.OutOfMemoryError, known.ActorUnschedulableError
        return isinstance(error, (*gone, *more)) and not isinstance(error, known.RayTaskError)

    def require(self) -> None:
        """Raise `RunError` if the head of the cluster has not answered for some time."""
        if not self._cluster.answers:
            raise self._cluster.lost()

    def close(self) -> None:
        """Kill the actors; end the cluster if it was started here, or leave it."""
        for place in list(self._actors):
            self.end(place)
        self._kept.clear()
        self._cluster.close()


def _loaded(where: list[Any]) -> Any:
    ray: Any = import_module("ray")
    return ray.get(where[0])
