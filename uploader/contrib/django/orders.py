"""What a person may order for recorded uploads: go on, find out, say, give up, post again.

Rule: under the upload's lease, never past a run that drives it. What may post twice is asked for
under an id that was told before, so that one question makes one post, whoever confirms it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final

from uploader.api import Uploader
from uploader.contrib.django import conf, signals
from uploader.contrib.django.models import Upload
from uploader.contrib.django.running import journal_alias
from uploader.errors import (
    ConfigurationError,
    JournalError,
    UploadCancelledError,
    UploaderError,
)
from uploader.journal import ENDED, Entry, Lease, Pause, State
from uploader.model import Outcome, UploadResult

TTL: Final = 30.0
"""Seconds that an order holds a lease: it writes one record."""
SAID: Final = "said"
"""The code of the error of an upload that a person called failed."""
_ID: Final = re.compile("[0-9a-f]{16}")
_STOPS: Final = 3
"""A run that asks may have asked before it could be stopped."""

Dispatch = Callable[[str], Any]
"""Hands an upload's id to what drives uploads, and returns at once."""


def dispatcher(up: Uploader) -> Dispatch:
    """Return what `UPLOADER["DISPATCH"]` names: a Celery task, or any callable that takes an id.

    Without it this process drives what was ordered, on the engine's thread.
    """
    target = conf.chosen().get("DISPATCH", up.take_up)
    made: Dispatch = getattr(target, "delay", target)
    return made


def _hand_out(upload_id: str, dispatch: Dispatch) -> None:
    try:
        dispatch(upload_id)
    except UploaderError:
        raise
    except Exception as error:  # whatever a queue raises; its text may hold an address
        failure = ConfigurationError(
            f"{upload_id} is recorded and due, but UPLOADER['DISPATCH'] failed with"
            f" {type(error).__name__}"
        ).hint("whoever sweeps the journal finds it")
    else:
        return
    raise failure


def found(up: Uploader, upload_id: str) -> Entry:
    """Return a recorded upload; raise `JournalError` when there is none."""
    entry = up.journal.get(upload_id)
    if entry is None:
        raise JournalError(f"the journal has no upload {upload_id}", upload_id=upload_id)
    return entry


def resume(up: Uploader, upload_id: str, dispatch: Dispatch) -> None:
    """Let an upload go on now, whatever it was told to wait for."""
    entry = found(up, upload_id)
    if entry.state in ENDED:
        raise ConfigurationError(f"it is {entry.state}: there is nothing to go on with")
    if entry.not_before is not None and entry.not_before > up.now():
        with _held(up, upload_id) as (_, lease):
            up.journal.save(lease, {"not_before": None})
    _hand_out(upload_id, dispatch)


def settle(up: Uploader, upload_id: str, *, posted: bool, by: str) -> Entry:
    """Believe a person who has looked: an unknown upload is there, or is not; return it."""
    with _held(up, upload_id) as (entry, lease):
        if entry.state is not State.UNKNOWN:
            raise ConfigurationError(f"it is {entry.state}: only what is unknown can be settled")
        if posted:
            changes: dict[str, Any] = {"state": State.DONE, "error": None}
        else:
            message = f"{by} has looked, and it is not there"
            changes = {"state": State.FAILED, "error": {"code": SAID, "message": message}}
        up.journal.save(lease, {**changes, "not_before": None}, durable=True)
        return replace(entry, **changes)


def cancel(up: Uploader, upload_id: str, *, by: str) -> UploadResult:
    """Give an upload up for good, also at the destination; return how it stands then.

    Of what may be posted the destination is asked first. Raises `LeaseHeldError` when a run drives
    it, and `ConfigurationError` without credentials to ask with.
    """
    entry = found(up, upload_id)
    if entry.state in ENDED:
        raise ConfigurationError(f"it is {entry.state} already")
    if entry.state is State.QUEUED and entry.session is None:
        return _withdrawn(up, upload_id, by)
    for _ in range(_STOPS):
        handle = up.take_up(upload_id, look_only=True)
        handle.cancel()
        result = handle.wait()
        if result.outcome is not Outcome.SUSPENDED:
            return result
    raise ConfigurationError("it could not be stopped; try again").hint(
        "nothing of it is sent meanwhile"
    )


def post_again(up: Uploader, upload_id: str, new_id: str, dispatch: Dispatch) -> Entry:
    """Record a second post of the same file, under `new_id`, and let it be sent.

    The same `new_id` twice is one post. Raises `ConfigurationError` for what has not ended, and for
    what was pruned.
    """
    entry = found(up, upload_id)
    known = up.journal.get(new_id)
    if not _ID.fullmatch(new_id) or (known is not None and known.identity != entry.identity):
        raise ConfigurationError("it was not on the page that asked")
    if known is not None:
        return known
    refusal = why_not_again(entry)
    if refusal:
        raise ConfigurationError(refusal)
    anew = replace(
        entry,
        upload_id=new_id,
        session=None,
        reference=None,
        state=State.QUEUED,
        confirmed=0,
        location=None,
        fields={},
        error=None,
        not_before=None,
        not_after=None,
        runs=0,
        holder=None,
    )
    try:
        claim = up.journal.claim(anew, TTL, again=True)
    except JournalError:
        known = up.journal.get(new_id)
        if known is None:
            raise
        return known  # somebody else was a moment earlier
    if claim.lease is not None:
        up.journal.release(claim.lease)
    _hand_out(claim.entry.upload_id, dispatch)
    return claim.entry


def why_not_again(entry: Entry) -> str:
    """Say why an upload cannot be posted again, "" when it can."""
    if entry.state not in ENDED | {State.UNKNOWN}:
        return f"it is {entry.state}: let it go on instead"
    if entry.holder is not None:
        return f"it is being driven by {entry.holder}"
    if entry.is_stream:
        return "it was a stream, and nobody has its bytes any more"
    if entry.source is None or not entry.destination:
        return "it was pruned: neither its file nor its fields are known any more"
    return ""


def new_id(entry: Entry) -> str:
    """Return the id of a further post of what an upload posts, for a page that asks about it.

    It follows from the newest upload of the same: all who are asked before one of them confirms are
    asked about one post.
    """
    same = Upload.objects.using(journal_alias()).filter(identity=entry.identity)
    newest = same.order_by("-id").values_list("upload_id", flat=True).first()
    return hashlib.sha256(f"after {newest or entry.upload_id}".encode()).hexdigest()[:16]


def pause(up: Uploader, transport: str | None, account: str | None, reason: str, by: str) -> None:
    """Hold back the uploads of an account, a transport, or all, until somebody lifts it."""
    up.journal.pause(Pause(transport, account, reason, since=up.now(), by=by))


def _withdrawn(up: Uploader, upload_id: str, by: str) -> UploadResult:
    with _held(up, upload_id) as (entry, lease):
        if entry.state is not State.QUEUED or entry.session is not None:
            raise ConfigurationError(f"it is {entry.state} meanwhile; look again")
        error = UploadCancelledError(f"cancelled by {by}; nothing was sent", upload_id=upload_id)
        changes = {"state": State.CANCELLED, "error": error.to_dict()}
        up.journal.save(lease, changes, durable=True)
    result = UploadResult(
        outcome=Outcome.CANCELLED,
        upload_id=upload_id,
        transport=entry.transport,
        account=entry.account,
        error=error,
        size=entry.plan.size,
        parts=entry.plan.count,
    )
    signals.announce(entry, result, by=by)
    return result


@contextmanager
def _held(up: Uploader, upload_id: str) -> Iterator[tuple[Entry, Lease]]:
    entry, lease = up.journal.take(upload_id, TTL)
    try:
        yield entry, lease
    finally:
        up.journal.release(lease)
