"""tus 1.0.0, the open protocol of resumable uploads: tusd, Vimeo, Cloudflare Stream and others.

To a server of your own:

    from transports.tus import TusUpload
    from uploader import Uploader

    with Uploader(journal="uploads.db") as up:
        up.upload("clip.mp4", TusUpload("https://uploads.example/files/", {"project": "winter"}))
        up.upload("film.mov", TusUpload("https://uploads.example/files/", parallel=4))

Vimeo opens the upload by its own API and answers with the URL to send to, which carries its own
permission; no token goes there (https://developer.vimeo.com/api/upload/videos):

    import os, pathlib, requests

    path = pathlib.Path("clip.mp4")
    answer = requests.post(
        "https://api.vimeo.com/me/videos",
        json={"upload": {"approach": "tus", "size": path.stat().st_size}, "name": "Winter"},
        headers={
            "Authorization": f"bearer {os.environ['VIMEO_TOKEN']}",
            "Accept": "application/vnd.vimeo.*+json;version=3.4",
        },
        timeout=30,
    )
    answer.raise_for_status()
    video = answer.json()
    result = up.upload(path, TusUpload(upload_url=video["upload"]["upload_link"], account="acme"))
    print(video["link"], result.outcome)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transports.tus.destination import TusUpload

__all__ = ["TusUpload"]

_HOMES = {"TusUpload": "transports.tus.destination"}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    try:
        home = _HOMES[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    return getattr(importlib.import_module(home), name)
