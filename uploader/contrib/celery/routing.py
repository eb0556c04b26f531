"""A queue for each transport, so that one slow destination does not keep the others waiting.

Rule: a router for Celery's `task_routes`; it looks into the journal, for the message says nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from uploader.contrib.celery.process import current_uploader

Route = Callable[..., Mapping[str, Any] | None]


def by_transport(prefix: str = "uploader.") -> Route:
    """Return a router that puts uploads into `prefix` and their transport's name.

    Workers then have to consume these queues: `celery worker -Q celery,uploader.tiktok`.
    """

    def route(
        name: str, args: Sequence[Any], kwargs: Mapping[str, Any], *_: Any, **__: Any
    ) -> Mapping[str, Any] | None:
        if name != "uploader.publish":
            return None
        upload_id = args[0] if args else kwargs.get("upload_id", "")
        entry = current_uploader().journal.get(str(upload_id))
        return {"queue": f"{prefix}{entry.transport}"} if entry is not None else None

    return route
