"""What an upload's state means, in plain words, and what to do next.

Rule: pure. It promises nothing that the journal does not prove, and never advises what could post
twice without saying so.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from uploader.cli.times import show_moment, show_span
from uploader.journal import RESTORED, Entry, State
from uploader.transport import Capabilities, Moment

MAY_BE_POSTED: Final = frozenset(
    {State.OPENING, State.COMMITTING, State.PROCESSING, State.DONE, State.UNKNOWN}
)
"""States whose record keeps the same upload from being posted a second time."""

Step = tuple[str, str]
"""What a command is for, and its verb; a verb of "" is advice without a command."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """A sentence or two, and what can be done."""

    says: str
    steps: tuple[Step, ...] = field(default=())


_CUT_OFF: Final = frozenset({State.QUEUED, State.OPENING, State.SENDING, State.COMMITTING})
"""States in which a run was driving the upload."""
_RESUME: Final = ("go on where it was interrupted", "resume")
_ANEW: Final = ("publish the same file again: it starts anew", "")


def meaning(entry: Entry, limits: Capabilities | None, now: float) -> Meaning:
    """Return what an upload's state means at the moment `now`.

    `limits` are the transport's, `None` when it is not installed.
    """
    if entry.holder is not None:
        says = f"It is being driven now, by {entry.holder}. Nothing is to be done."
        return Meaning(says, (("look again", "show"),))
    if entry.is_stream and entry.state in _CUT_OFF:
        return Meaning(
            "It was a stream, and ended with the run that read it. Nobody can go on with it.",
            (("ask whether it is stored, and drop what is not", "resume"),),
        )
    return _MEANINGS[entry.state](entry, limits, now)


def _queued(entry: Entry, limits: Capabilities | None, now: float) -> Meaning:
    if entry.not_after is not None and now > entry.not_after:
        return Meaning(
            f"Nothing was sent, and its time is over since {show_moment(entry.not_after)}.",
            (("end it as cancelled", "resume"), ("forget it", "forget")),
        )
    if entry.not_before is not None and now < entry.not_before:
        return Meaning(
            f"It waits for {show_moment(entry.not_before)}; nothing was sent. A resume from then on"
            " sends it.",
            (("do not send it at all", "forget"),),
        )
    return Meaning("It waits to be sent; nothing was sent yet.", (("send it now", "resume"),))


def _opening(entry: Entry, limits: Capabilities | None, now: float) -> Meaning:
    says = (
        "The request that opens the upload went out, or was about to, and its answer was not"
        " recorded. No byte of the file was sent."
    )
    return _until_it_expires(says, entry, limits, now)


def _sending(entry: Entry, limits: Capabilities | None, now: float) -> Meaning:
    says = (
        f"It was interrupted: {entry.confirmed} of {entry.plan.count} parts are confirmed, nothing"
        " is posted."
    )
    if _expired(entry, limits, now):
        return Meaning(
            f"{says} The address to upload to has expired: a resume starts from the beginning.",
            (("start it again from the beginning", "resume"),),
        )
    return Meaning(says, (_RESUME,))


def _committing(entry: Entry, limits: Capabilities | None, now: float) -> Meaning:
    at = "the last part"
    if limits is not None and limits.irreversible is Moment.COMPLETE:
        at = "the request that completes it"
    return Meaning(
        f"It was interrupted at {at}: it may be posted. A resume asks the destination first"
        " and sends nothing that has arrived.",
        (("ask, and go on", "resume"), ("only ask", "resolve")),
    )


def _processing(entry: Entry, limits: Capabilities | None, now: float) -> Meaning:
    return Meaning(
        "Every byte is confirmed; when this was last looked at, the destination was still at work."
        " It goes on by itself.",
        (("watch it until it is done", "resume"), ("ask once", "resolve")),
    )


def _done(entry: Entry, limits: Capabilities | None, now: float) -> Meaning:
    return Meaning(
        "It is posted. Publishing the same file with the same fields again sends nothing.",
        (("post it a second time on purpose: publish it with --again", ""),),
    )


def _failed(entry: Entry, limits: Capabilities | None, now: float) -> Meaning:
    return Meaning("It failed: nothing is posted.", (_ANEW,))


def _unknown(entry: Entry, limits: Capabilities | None, now: float) -> Meaning:
    code = (entry.error or {}).get("code")
    if code == RESTORED["code"]:
        return Meaning(
            "The journal was restored from a backup, and this may have gone on since: it may be"
            " posted. Look at the account. Nothing but the word that it is posted is believed.",
            (
                ("ask the destination", "resolve"),
                ("when it is not there: forget it, then publish it again", "forget"),
            ),
        )
    if entry.session is None:
        says = "The answer to the request that opens the upload was lost."
        return _until_it_expires(says, entry, limits, now)
    return Meaning(
        "It may be posted, and nobody has told. Look at the account before sending it again.",
        (
            ("ask the destination again", "resolve"),
            ("when it is not there: forget it, then publish it again", "forget"),
        ),
    )


def _cancelled(entry: Entry, limits: Capabilities | None, now: float) -> Meaning:
    return Meaning("It was cancelled: nothing is posted.", (_ANEW,))


def _until_it_expires(says: str, entry: Entry, limits: Capabilities | None, now: float) -> Meaning:
    """Say when an upload whose opening was not answered can start anew by itself."""
    if limits is not None and limits.irreversible is Moment.COMPLETE:
        return Meaning(
            f"{says} Nothing comes of that: a resume starts it anew.",
            (("start it anew", "resume"),),
        )
    lifetime = limits.session_lifetime if limits is not None else None
    if limits is None or lifetime is None or limits.irreversible is Moment.CREATE:
        return Meaning(
            f"{says} It may be posted: look at the account.",
            (("when it is not there: forget it, then publish it again", "forget"),),
        )
    left = entry.updated + lifetime - now
    if left > 0:
        return Meaning(
            f"{says} Whatever was opened expires in {show_span(left)}"
            f" ({show_moment(now + left)}); from then on a resume starts it anew.",
        )
    return Meaning(
        f"{says} Whatever was opened has expired: nothing can come of it any more.",
        (("start it anew", "resume"),),
    )


def _expired(entry: Entry, limits: Capabilities | None, now: float) -> bool:
    if entry.session is None or limits is None or limits.session_lifetime is None:
        return False
    created = entry.session.created_at
    return created is None or now - created >= limits.session_lifetime


_MEANINGS: Final[dict[State, Callable[[Entry, Capabilities | None, float], Meaning]]] = {
    State.QUEUED: _queued,
    State.OPENING: _opening,
    State.SENDING: _sending,
    State.COMMITTING: _committing,
    State.PROCESSING: _processing,
    State.DONE: _done,
    State.FAILED: _failed,
    State.UNKNOWN: _unknown,
    State.CANCELLED: _cancelled,
}
