"""What a server counts, in the form of Prometheus."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from manyheads.web.service.served_models import ServedModels
from manyheads.web.shared.guards import Answered

_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_SIZES = (1, 2, 4, 8, 16, 32, 64)


class ServiceMetrics:
    """Counts requests, images, batches and what is refused; labels hold no text of a client."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self._requests = Counter(
            "manyheads_requests", "Requests answered", ["method", "route", "status"],
            registry=registry,
        )  # fmt: skip
        self._seconds = Histogram(
            "manyheads_request_seconds", "Seconds from a request's head to the end of its answer",
            ["route"], registry=registry, buckets=_SECONDS,
        )  # fmt: skip
        self._refused = Counter(
            "manyheads_refused", "Requests refused before they reached a model", ["status"],
            registry=registry,
        )  # fmt: skip
        self._images = Counter(
            "manyheads_images", "Images answered, by outcome", ["model", "outcome"],
            registry=registry,
        )  # fmt: skip
        self._batches = Histogram(
            "manyheads_batch_images", "Images of a pass through the network", ["model"],
            registry=registry, buckets=_SIZES,
        )  # fmt: skip
        self._queue = Gauge(
            "manyheads_queue_images", "Images that wait, are decoded or are in a pass", ["model"],
            registry=registry,
        )  # fmt: skip

    def answered(self, told: Answered) -> None:
        """Count a request."""
        self._requests.labels(told.method, told.route, str(told.status)).inc()
        self._seconds.labels(told.route).observe(told.seconds)
        if told.refused or told.status in (503, 504):
            self._refused.labels(str(told.status)).inc()

    def images(self, model: str, read: int, unreadable: int) -> None:
        """Count the images of a request."""
        self._images.labels(model, "answered").inc(read)
        self._images.labels(model, "unreadable").inc(unreadable)

    def batches_of(self, model: str) -> Callable[[int], object]:
        """What counts the batches of a model."""
        return self._batches.labels(model).observe

    def watch(self, models: ServedModels) -> None:
        """Tell how many images the models hold whenever somebody asks."""
        for name, model in models.items():
            self._queue.labels(name).set_function(lambda model=model: model.held)

    def text(self) -> bytes:
        """All of it, as text."""
        return generate_latest(self._registry)
