"""The routes of the studio's Data: open a data set, look at it, and decide about its images."""

from __future__ import annotations

from fastapi import APIRouter

from manyheads.web.studio.workspace import Workspace


def data_router(desk: Workspace) -> APIRouter:
    """The routes under /api/data of the place's data sets."""
    return APIRouter(prefix="/api/data")
