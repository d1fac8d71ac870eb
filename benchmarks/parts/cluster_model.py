"""Extraction on many nodes, on paper: times and sizes from measured costs, failures drawn.

All formulas are here, and named as `docs/scale.md` names them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from typing import NamedTuple

import numpy as np

HOUR, GIB, TB = 3600.0, 2.0**30, 1e12
_DRAWS = 2000
_SHARD = 256


@dataclass(frozen=True)
class Costs:
    """What was measured, for one image unless said otherwise; seconds and bytes."""

    core: float
    """Seconds of one core from a file to features."""
    file: float
    row: float
    unit: float
    """Seconds of the driver to give a shard and take its features."""
    stored: float
    """Seconds of the driver to write a shard into the cache."""
    opening: float
    reopening: float
    resuming: float
    memory: float
    """Bytes of the driver."""
    index: float
    """Bytes of the cache on disk beside the row."""


@dataclass(frozen=True)
class Assumptions:
    """What was not measured; each is a line of the report."""

    cores: int = 16
    """cores of a node"""
    worker_cores: int = 4
    """cores of a worker"""
    network: float = 1.25e9
    """bytes a second into or out of a node, the driver's too (10 Gbit/s)"""
    source: float = 10e9
    """bytes a second that the store of the images gives to all nodes together"""
    disk: float = 1e9
    """bytes a second that the driver's disk takes"""
    room: float = 8e12
    """bytes of the driver's disk"""
    memory: float = 64 * GIB
    """bytes of the driver's memory"""
    node_lives: float = 1000 * HOUR
    """seconds between two losses of one node, on average"""
    driver_lives: float = 1000 * HOUR
    """seconds between two losses of the driver, on average"""
    back: float = 300.0
    """seconds until a lost node, or the driver, is there again"""


SPOT = replace(Assumptions(), node_lives=20 * HOUR)
"""Nodes that are taken away: one in twenty is lost in an hour."""


def assumption_lines() -> list[tuple[str, str]]:
    """Each assumption and its value, as rows of a table."""
    known = Assumptions()
    return [(field.name, f"{getattr(known, field.name):,.6g}") for field in fields(known)]


class Predicted(NamedTuple):
    """One job: seconds, bytes, and what is computed again."""

    opening: float
    parts: dict[str, float]
    """Seconds that each resource needs for the whole, if it alone mattered."""
    median: float
    late: float
    """Seconds in 99 of 100 draws."""
    again: float
    """Images computed a second time, on average, of all."""
    losses: float
    """Losses of nodes, on average."""
    memory: float
    disk: float

    @property
    def bound(self) -> str:
        """What takes the longest: opening, or the resource that the work waits for."""
        whole = {"opening": self.opening} | self.parts
        return max(whole, key=lambda name: whole[name])


def predicted(images: float, nodes: int, costs: Costs, given: Assumptions, seed: int) -> Predicted:
    """A job of so many images on so many nodes and one driver."""
    shards = images / _SHARD
    parts = {
        "nodes": images * costs.core / (nodes * given.cores),
        "source": images * costs.file / min(nodes * given.network, given.source),
        "driver": shards * (costs.unit + costs.stored),
        "network": images * costs.row / given.network,
        "disk": images * costs.row / given.disk,
    }
    # The driver reads every file once to know its content.
    opening = images * (costs.opening + costs.file / given.network)
    work = max(parts.values())
    # A worker loses half a shard on average; the second that it was given has not begun.
    workers = given.cores // given.worker_cores
    lost = workers * _SHARD / 2
    # Nodes that are lost cost time only as far as the nodes are what the work waits for.
    share = parts["nodes"] / work
    a_node = share * (lost * costs.core / given.cores + given.back) / nodes
    a_driver = given.back + images * (costs.reopening + costs.resuming)
    chance = np.random.default_rng(seed)
    total = np.full(_DRAWS, opening + work)
    span, losses = total.copy(), np.zeros(_DRAWS)
    for _ in range(20):  # what is lost takes time, in which more is lost
        nodes_lost = chance.poisson(nodes * span / given.node_lives)
        span = nodes_lost * a_node + chance.poisson(span / given.driver_lives) * a_driver
        losses += nodes_lost
        total += span
        if span.max() < 1:
            break
    return Predicted(
        opening=opening,
        parts=parts,
        median=float(np.median(total)),
        late=float(np.quantile(total, 0.99)),
        again=float(losses.mean() * lost / images),
        losses=float(losses.mean()),
        memory=images * costs.memory,
        disk=images * (costs.row + costs.index),
    )


def divided(images: float, nodes: int, part: float) -> tuple[float, int, int]:
    """Images and nodes of each part, and how many parts, each with a cache of its own."""
    count = min(nodes, math.ceil(images / part))
    return images / count, nodes // count, count


def beyond(job: Predicted, given: Assumptions) -> list[str]:
    """Which limits of the driver a job exceeds."""
    found = []
    if job.memory > given.memory:
        found.append(f"memory {job.memory / GIB:,.0f} GiB")
    if job.disk > given.room:
        found.append(f"disk {job.disk / TB:,.1f} TB")
    return found


def spelled(seconds: float) -> str:
    """A time in the largest unit of which there are at least two."""
    for unit, size in (("d", 24 * HOUR), ("h", HOUR), ("min", 60.0)):
        if seconds >= 2 * size:
            return f"{seconds / size:,.1f} {unit}"
    return f"{seconds:,.1f} s"
