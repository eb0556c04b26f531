"""Which notices are TikTok's own, and what they say.

Rule: nothing of a body is read before its signature is proved over the raw bytes, in constant time.
https://developers.tiktok.com/doc/webhooks-verification
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from uploader.errors import UploaderError
from uploader.secret import Secret

HEADER: Final = "tiktok-signature"
WINDOW: Final = 300.0
"""Seconds that a signature's time may be off; TikTok leaves it to the receiver."""
MAX_BODY: Final = 64 * 1024
_SIGNED: Final = re.compile(r"t=([0-9]{1,12}),s=([0-9a-fA-F]{64})", re.ASCII)


class WebhookRefusedError(UploaderError):
    """A notice that is not taken; `status` is the HTTP status to answer it with."""

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookEvent:
    """One notice. `created` is in seconds since the epoch; ids are text, whatever they came as.

    `content` is all that stands in it, for events and fields that are not known here.
    https://developers.tiktok.com/doc/webhooks-events
    """

    event: str
    client_key: str
    created: int
    user_openid: str = field(repr=False)
    publish_id: str | None = None
    post_id: str | None = None
    reason: str | None = None
    publish_type: str | None = None
    content: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def key(self) -> str:
        """Return what is the same in every delivery of this notice, and in no other's.

        One draft may be completed several times, as one post after the other.
        """
        which = self.post_id or str(self.created)
        facts = (self.event, self.user_openid, self.publish_id or "", which)
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def handle(
    headers: Mapping[str, str],
    body: bytes,
    *,
    secret: Secret | str | Sequence[Secret | str],
    client_key: str | None = None,
    window: float = WINDOW,
    now: float | None = None,
) -> WebhookEvent:
    """Return what a genuine notice says; raise `WebhookRefusedError` for any other.

    `body` is the raw body, byte for byte. `secret` is the app's client secret; of several, while it
    is changed, any may have signed. `client_key`, when given, must be the notice's. `window` is in
    seconds, to both sides of `now`.
    """
    if len(body) > MAX_BODY:
        raise WebhookRefusedError(
            f"the notice has {len(body):,} bytes, at most {MAX_BODY:,} are read", status=413
        )
    signed = _SIGNED.fullmatch(_header(headers).strip())
    if signed is None:
        raise WebhookRefusedError("the notice is not signed as TikTok signs", status=401)
    secrets = [secret] if isinstance(secret, str | Secret) else list(secret)
    given = signed[2].lower().encode()
    # Every secret is tried: how long it takes tells nothing.
    genuine = [hmac.compare_digest(given, _digest(each, signed[1], body)) for each in secrets]
    if not any(genuine):
        raise WebhookRefusedError(
            "the signature of the notice does not fit its body", status=401
        ).hint("is the client secret the app's, and the body the raw one?")
    off = (time.time() if now is None else now) - int(signed[1])
    if abs(off) > window:
        raise WebhookRefusedError(
            f"the notice was signed {abs(off):,.0f} s {'ago' if off > 0 else 'ahead'},"
            f" {window:,.0f} s are taken",
            status=401,
        ).hint("a replay, or a clock that is wrong")
    event = _read(body)
    if event is None:
        raise WebhookRefusedError(
            f"the notice is genuine, but its {len(body):,} bytes say nothing", status=400
        )
    if client_key is not None and event.client_key != client_key:
        raise WebhookRefusedError("the notice is for another app", status=401)
    return event


def sign(body: bytes, *, secret: Secret | str, now: int) -> str:
    """Return the header that TikTok would send with a body at a moment; for users' own tests."""
    return f"t={now},s={_digest(secret, str(now), body).decode()}"


def _digest(secret: Secret | str, moment: str, body: bytes) -> bytes:
    signed = moment.encode() + b"." + body
    key = Secret(secret)
    return hmac.new(key.reveal().encode(), signed, hashlib.sha256).hexdigest().encode()


def _header(headers: Mapping[str, str]) -> str:
    found = [str(value) for name, value in headers.items() if str(name).lower() == HEADER]
    return found[0] if len(found) == 1 else ""


def _read(body: bytes) -> WebhookEvent | None:
    try:
        facts = json.loads(body.decode())
        content = facts.get("content") or {}
        if isinstance(content, str):  # documented as a string of JSON
            content = json.loads(content)
        created, event = facts.get("create_time"), facts["event"]
        if not isinstance(event, str) or not isinstance(content, dict):
            return None
        return WebhookEvent(
            event=event,
            client_key=str(facts.get("client_key") or ""),
            created=created if isinstance(created, int) else 0,
            user_openid=str(facts.get("user_openid") or ""),
            publish_id=_text(content, "publish_id"),
            post_id=_text(content, "post_id"),
            reason=_text(content, "reason"),
            publish_type=_text(content, "publish_type"),
            content=content,
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _text(content: Mapping[str, Any], name: str) -> str | None:
    value = content.get(name)
    return None if value is None or value == "" else str(value)
