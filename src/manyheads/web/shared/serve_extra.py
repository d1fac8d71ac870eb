"""Whether the parts are installed that what opens in a browser needs."""

from __future__ import annotations

from importlib.util import find_spec

from manyheads.errors import MissingExtraError

_NEEDED = {
    "fastapi": "fastapi", "uvicorn": "uvicorn", "python_multipart": "python-multipart",
    "prometheus_client": "prometheus-client",
}  # fmt: skip


def require_serve_extra(command: str) -> None:
    """Raise `MissingExtraError` if the extra `serve` is not installed, which `command` needs."""
    absent = [name for module, name in _NEEDED.items() if find_spec(module) is None]
    if absent:
        raise MissingExtraError(
            f"{', '.join(_NEEDED.values())} for `manyheads {command}`",
            f"no {' and no '.join(absent)}", "run: pip install 'manyheads[serve]'",
        )  # fmt: skip
