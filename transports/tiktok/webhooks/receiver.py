"""What a notice does: it ends an upload in the journal, or a consent in the token store.

Rule: kept first, acted on then, so that nothing is lost between; a notice that came before its
publish_id was written waits. An upload that a run drives is left to it: the run asks by itself.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from transports.tiktok.errors import from_fail_reason
from transports.tiktok.webhooks.inbox import Inbox, MemoryInbox
from transports.tiktok.webhooks.notices import WebhookEvent, WebhookRefusedError, handle
from uploader.errors import JournalError, LeaseHeldError, TokenStoreError
from uploader.events import Subscriber, WebhookReceived
from uploader.journal import ENDED, Entry, Journal, State
from uploader.secret import Secret

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from transports.tiktok.accounts import TikTokAccounts

NAME: Final = "tiktok"
WINDOW: Final = 73 * 3600.0
"""Seconds. TikTok repeats for 72 hours, and does not say that it signs anew. Duplicates are known
here, so that an old notice does nothing twice."""
TTL: Final = 30.0
REMOVED: Final = "authorization.removed"
_STATUS: Final[Mapping[str, str]] = {
    "post.publish.complete": "PUBLISH_COMPLETE",
    "video.publish.completed": "PUBLISH_COMPLETE",
    "post.publish.publicly_available": "PUBLISH_COMPLETE",
    "post.publish.inbox_delivered": "SEND_TO_USER_INBOX",
    "post.publish.failed": "FAILED",
    "video.upload.failed": "FAILED",
}
"""What a notice says of a post, in the words of its status; two are older names."""

_LOG = logging.getLogger("uploader")


@dataclass(frozen=True, slots=True)
class Received:
    """What became of a notice: `accepted`, `duplicate`, or `unknown` while no upload fits it."""

    event: WebhookEvent
    outcome: str
    upload_id: str = ""


class WebhookReceiver:
    """Take notices for the uploads of a journal; thread-safe.

    `hurry` is told the id of an upload that there is news of, such as `Uploader.hurry`: whoever
    watches it in this process looks at once. `inbox` must outlive the process where notices may
    come before the journal knows their upload: a `FileInbox`. With `accounts`, a consent that was
    withdrawn is recorded there. `clock` returns seconds since the epoch.
    """

    def __init__(
        self,
        journal: Journal | None,
        client_secret: Secret | str | Sequence[Secret | str],
        *,
        client_key: str | None = None,
        inbox: Inbox | None = None,
        accounts: TikTokAccounts | None = None,
        hurry: Callable[[str], object] | None = None,
        window: float = WINDOW,
        clock: Callable[[], float] = time.time,
        subscribers: Sequence[Subscriber] = (),
        registry: CollectorRegistry | None = None,
        metrics: bool = True,
    ) -> None:
        from uploader.instruments import standard_subscribers

        given = [client_secret] if isinstance(client_secret, str | Secret) else client_secret
        self._secrets = [Secret(each) for each in given]
        self._journal = journal
        self._client_key = client_key
        self._inbox: Inbox = inbox if inbox is not None else MemoryInbox(clock=clock)
        self._accounts = accounts
        self._hurry = hurry or (lambda upload_id: None)
        self._window = window
        self._clock = clock
        self._subscribers = (*standard_subscribers(registry, metrics=metrics), *subscribers)

    def receive(self, headers: Mapping[str, str], body: bytes) -> Received:
        """Take one delivery: answer 200 when this returns, or the status of what it raises.

        Raises `WebhookRefusedError`, and `JournalError` when the notice could not be kept: TikTok
        sends it again then.
        """
        try:
            event = handle(
                headers,
                body,
                secret=self._secrets,
                client_key=self._client_key,
                window=self._window,
                now=self._clock(),
            )
        except WebhookRefusedError:
            self._tell("", "refused", "")
            raise
        new = self._inbox.add(event)
        matched = self._matched()
        outcome = "duplicate" if not new else "accepted" if event.key in matched else "unknown"
        received = Received(event, outcome, matched.get(event.key, ""))
        self._tell(event.event, outcome, received.upload_id)
        return received

    def match(self) -> int:
        """Try again what waits for its upload; return how many notices found theirs.

        Every delivery does so too. To be called now and then where few come.
        """
        return len(self._matched())

    def _matched(self) -> dict[str, str]:
        """Settle what can be; return the upload ids by the keys of the notices."""
        waiting = self._inbox.waiting()
        if not waiting:
            return {}
        try:
            uploads = self._uploads({each.publish_id for each in waiting if each.publish_id})
            found = {event.key: self._act(event, uploads) for event in waiting}
        except (JournalError, TokenStoreError) as error:
            _LOG.warning("webhooks wait: %s", error.message)  # they are kept
            return {}
        return {key: upload_id for key, upload_id in found.items() if upload_id is not None}

    def _uploads(self, wanted: set[str]) -> dict[str, str]:
        """Return upload ids by publish_id."""
        if self._journal is None:
            return {}
        found = {each: self._journal.referred(NAME, each) for each in wanted}
        return {each: entries[0].upload_id for each, entries in found.items() if entries}

    def _act(self, event: WebhookEvent, uploads: Mapping[str, str]) -> str | None:
        """Do what a notice says; return its upload's id, "" for none, `None` when it waits."""
        if event.event == REMOVED:
            if self._accounts is not None:
                self._accounts.withdrawn(event.user_openid, f"{REMOVED} {event.reason or 0}")
            self._inbox.settle(event)
            return ""
        if event.publish_id is None:
            self._inbox.settle(event)
            return ""
        upload_id = uploads.get(event.publish_id)
        if upload_id is None or self._journal is None:
            return None
        try:
            entry, lease = self._journal.take(upload_id, TTL)
        except LeaseHeldError:
            self._hurry(upload_id)
            return upload_id  # it stays in the inbox until that run is over
        try:
            changes = _changes(entry, event)
            if changes:
                self._journal.save(lease, changes, durable=True)
        finally:
            self._journal.release(lease)
        self._inbox.settle(event)
        self._hurry(upload_id)
        return upload_id

    def _tell(self, kind: str, outcome: str, upload_id: str) -> None:
        told = WebhookReceived(transport=NAME, kind=kind, outcome=outcome, upload_id=upload_id)
        for subscriber in self._subscribers:
            try:
                subscriber(told)
            except Exception:
                _LOG.exception("a subscriber failed on %s", type(told).__name__)


def _changes(entry: Entry, event: WebhookEvent) -> dict[str, Any]:
    """Return what a notice changes of an upload. One that has ended gets only its post's id."""
    status = _STATUS.get(event.event)
    if status is None:
        return {}
    fields: dict[str, Any] = {**entry.fields, "publish_id": event.publish_id}
    if event.post_id is not None:
        known = list(fields.get("post_ids") or ())
        fields["post_ids"] = known if event.post_id in known else [*known, event.post_id]
    if entry.state in ENDED:
        wanted = entry.state is State.DONE and status != "FAILED" and fields != entry.fields
        return {"fields": fields} if wanted else {}
    fields["status"] = status
    if status == "FAILED":
        fields["fail_reason"] = event.reason or ""
        error = from_fail_reason(event.reason or "").to_dict()
        return {"state": State.FAILED, "fields": fields, "error": error}
    return {"state": State.DONE, "fields": fields, "error": None}
