"""The routes of the studio's Understand: what a finished run found, and on which images."""

from __future__ import annotations

from fastapi import APIRouter

from manyheads.web.studio.workspace import Workspace


def understand_router(desk: Workspace) -> APIRouter:
    """The routes under /api/understand and /api/runs/NAME/pictures of the place's runs."""
    return APIRouter(prefix="/api")
