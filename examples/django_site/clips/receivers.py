"""What happens when an upload ends: the clip remembers how."""

from __future__ import annotations

from typing import Any

from clips.models import Clip
from uploader import UploadResult
from uploader.contrib.django import signals


def remember(
    sender: object, *, key: str | None, upload_id: str, result: UploadResult, **_: Any
) -> None:
    """Write the outcome into the clip that the key names."""
    kind, _colon, number = (key or "").partition(":")
    if kind != "clip":
        return
    trouble = result.error.message if result.error is not None else ""
    Clip.objects.filter(pk=number).update(
        upload_id=upload_id, outcome=str(result.outcome), trouble=trouble[:300]
    )


def connect() -> None:
    """Listen to every outcome. Signals hold receivers weakly: a function of a module lives on."""
    for signal in signals.SIGNALS.values():
        signal.connect(remember, dispatch_uid="clips")
