"""Watches an upload whose bytes are all confirmed, until the server has its last word.

Rule: a status that cannot be had is no failure: the upload is PROCESSING as long as nobody says
otherwise.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from uploader.engine.abilities import Abilities
from uploader.engine.caller import FlowCaller
from uploader.engine.settings import Clock
from uploader.engine.standing import Standing, ended
from uploader.engine.telling import Teller
from uploader.errors import UploaderError
from uploader.model import Completion, Outcome, Processing, Session
from uploader.pacing import PollPolicy
from uploader.transport import Transport


class Watcher:
    """Complete an upload and ask about it."""

    def __init__(
        self,
        transport: Transport,
        abilities: Abilities,
        caller: FlowCaller,
        clock: Clock,
        policy: PollPolicy,
        teller: Teller,
        outlasts: Callable[[float], bool],
        wait: Callable[[float], Awaitable[None]],
        since: float | None = None,
    ) -> None:
        """`outlasts(seconds)` tells that a wait would take longer than the run may; `wait` waits.

        `since` is when an earlier run began to watch, where one did.
        """
        self._transport = transport
        self._poll = abilities.poll
        self._caller = caller
        self._clock = clock
        self._policy = policy
        self._teller = teller
        self._outlasts = outlasts
        self._wait = wait
        self._since = since

    async def watch(
        self,
        session: Session | None,
        processing: Processing | None,
        *,
        wait: bool,
        completion: Completion | None,
    ) -> Standing:
        """Return how the upload stands when the server has ended, or the patience has.

        `completion` is what completing it gave, `None` where that changes nothing.
        """
        began = self._clock.monotonic() if self._since is None else self._since
        if session is None:
            assert completion is not None
            return Standing(Outcome.DONE, completion.location, completion.fields)
        if processing is not None and processing.error is not None:
            return ended(processing, session.fields)
        if completion is None:
            completion = await self._caller.call(
                "complete", lambda: self._transport.complete(session, {}), repeatable=True
            )
        fields = {**session.fields, **completion.fields}
        poll = self._poll
        if poll is None:
            return Standing(Outcome.DONE, completion.location, fields)
        if processing is None and not wait:
            return Standing(Outcome.PROCESSING, completion.location, fields)
        waits = self._policy.waits()
        while processing is None or not processing.is_terminal:
            processing = await self._ask(poll, session)
            self._teller.processing(processing, self._clock.monotonic() - began)
            if processing.is_terminal:
                break
            pause = next(waits, None)
            if pause is None or self._outlasts(pause):
                fields.update(processing.fields)
                return Standing(Outcome.PROCESSING, completion.location, fields)
            await self._wait(pause)
        return ended(processing, fields)

    async def _ask(self, poll: Any, session: Session) -> Processing:
        try:
            answer: Processing = await self._caller.call(
                "poll", lambda: poll(session), repeatable=True
            )
        except UploaderError as error:  # that of a credentials callable, too
            return Processing("UNREACHABLE", fields={"status_error": error.message})
        return answer
