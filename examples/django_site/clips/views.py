"""The page: clips are handed in, and watched on their way.

Nothing is uploaded here. The clip and its upload are recorded in one transaction, so that there is
never one without the other; a worker does the rest.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET

from clips.forms import ClipForm
from clips.models import Clip
from transports.tiktok import DirectPost
from uploader.contrib.celery import publish
from uploader.contrib.django import enqueue
from uploader.contrib.django.models import Upload
from uploader.errors import ConfigurationError, SourceError

SHOWN = 20


def index(request: HttpRequest) -> HttpResponse:
    """Show the latest clips, and take a new one."""
    form = ClipForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        try:
            with transaction.atomic():
                hand_in(form.save())
        except (ConfigurationError, SourceError) as error:
            form.instance.file.delete(save=False)  # which no transaction takes back
            form.add_error("file", error.message)
        else:
            return redirect("index")
    return render(request, "clips/index.html", {"form": form, "clips": _shown()})


def hand_in(clip: Clip) -> None:
    """Record the clip's upload; a worker hears of it once both are committed."""
    post = DirectPost(
        account=clip.account,
        title=clip.title,
        privacy_level="SELF_ONLY",
        chunk_size=6_000_000,
        base_url=settings.TIKTOK_URL,
    )
    clip.upload_id = enqueue(clip.file, post, key=clip.key, send=publish.delay)
    clip.save(update_fields=["upload_id"])


@require_GET
def progress(request: HttpRequest) -> JsonResponse:
    """Tell how far each clip on the page has come."""
    return JsonResponse({"clips": _shown()})


def _shown() -> list[dict[str, Any]]:
    clips = list(Clip.objects.all()[:SHOWN])
    uploads = Upload.objects.in_bulk([clip.upload_id for clip in clips], field_name="upload_id")
    return [_facts(clip, uploads.get(clip.upload_id)) for clip in clips]


def _facts(clip: Clip, upload: Upload | None) -> dict[str, Any]:
    """Return what the page shows: the journal's state, and the outcome that a signal told."""
    state = upload.state if upload is not None else ""
    size = upload.size if upload is not None else clip.file.size
    whole = state in ("processing", "done")
    confirmed = 0 if upload is None else min(size, upload.confirmed * upload.part_size)
    return {
        "id": clip.pk,
        "title": clip.title,
        "account": clip.account,
        "state": state,
        "size": size,
        "confirmed": size if whole else confirmed,
        "outcome": clip.outcome,
        "trouble": clip.trouble,
    }
