"""The upload host: takes PUTs on upload URLs, one at a time per upload.

Rule: `rules` decides, `Intake` receives, a `Fault` interferes; this module only says in which
order. https://developers.tiktok.com/doc/content-posting-api-media-transfer-guide
"""

import asyncio
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

from aiohttp import web

from transports.tiktok.sandbox.book import Book
from transports.tiktok.sandbox.faults import Fault
from transports.tiktok.sandbox.intake import Intake
from transports.tiktok.sandbox.peer import Peer
from transports.tiktok.sandbox.posts import Chunk, Post, RequestRecord
from transports.tiktok.sandbox.rules import confirmed_range, judge_put, read_range

# A client that has given up on a PUT may send the next one before its FIN has got through: what it
# had written comes first. It has left no more than socket buffers hold, and they do not pause.
_LOOK_SECONDS = 0.1
_IDLE_LOOKS = 2
_MOST_IN_FLIGHT = 32 * 1024 * 1024


@dataclass(slots=True, kw_only=True)
class _Put:
    """One PUT and what belongs to it."""

    request: web.BaseRequest
    record: RequestRecord
    fault: Fault | None
    peer: Peer
    chunk: Chunk

    @property
    def effect(self) -> str | None:
        return self.fault.effects[0] if self.fault else None


@dataclass(slots=True)
class _Lane:
    """The PUT that an upload is busy with."""

    put: _Put
    done: asyncio.Event = field(default_factory=asyncio.Event)
    hurry: asyncio.Event = field(default_factory=asyncio.Event)
    gone: bool = False
    """The client had left by the time the PUT ended."""


class _Answer(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: str | bytes | None = None
    early: bool = False
    """The body has not been read: answer, then close the connection."""


class UploadHost:
    """Answer the PUTs of one sandbox."""

    def __init__(self, book: Book, pool: Executor, *, trap: str, check_host: bool) -> None:
        self._book = book
        self._pool = pool
        self._trap = trap
        self._check_host = check_host
        self._lanes: dict[str, _Lane] = {}

    async def put(
        self, request: web.BaseRequest, record: RequestRecord, fault: Fault | None
    ) -> web.StreamResponse:
        """Take one PUT: refuse it before its body is read, or store it and answer 206 or 201."""
        target = urlsplit(request.raw_path)
        post = self._book.post_of_upload(target.query)
        put = self._open(request, record, fault, post)
        altered = self._note_violations(put, post, target)
        try:
            if put.effect == "lose_request" or (fault and fault.reset_after == 0):
                await put.peer.reset()
            if post is None:
                answer = _Answer(404, {}, early=True)
            elif altered:
                answer = self._refusal(post, 403)
            else:
                answer = await self._in_turn(put, post)
            record.status = put.chunk.status = answer.status
            if post is not None and answer.status == 201 and post.complete:
                post.answered = True
        finally:
            put.chunk.ended = self._book.clock.now()
            self._book.notify()
        response = web.Response(status=answer.status, headers=answer.headers, body=answer.body)
        return await put.peer.answer_early(response) if answer.early else response

    def _open(
        self,
        request: web.BaseRequest,
        record: RequestRecord,
        fault: Fault | None,
        post: Post | None,
    ) -> _Put:
        peer = Peer(request)
        record.range = request.headers.get("Content-Range")
        first, last, _ = found = read_range(record.range) or (-1, -1, 0)
        effect = fault.effects[0] if fault else None
        chunk = Chunk(first, last, record.time, peer.name, fault=effect)
        if post is not None:
            record.publish_id = post.publish_id
            if found[2]:
                post.chunks.append(chunk)
        return _Put(request=request, record=record, fault=fault, peer=peer, chunk=chunk)

    # -- what a client must never do -------------------------------------------------------------

    def _note_violations(self, put: _Put, post: Post | None, target: SplitResult) -> bool:
        """Record broken rules; tell whether the upload URL is not the one that was issued."""
        headers = put.request.headers
        if "Authorization" in headers:
            self._violation(put, "sent an Authorization header; the URL is the credential")
        if "Transfer-Encoding" in headers:
            self._violation(put, "used Transfer-Encoding; Content-Length is required")
        if post is None:
            return False
        if post.answered:
            self._violation(put, "came after the 201")
        issued = urlsplit(post.url)
        altered = (target.path, target.query) != (issued.path, issued.query)
        if altered:
            self._violation(put, "changed the upload URL, which must be used whole")
        elif self._check_host and headers.get("Host") != issued.netloc:
            self._violation(put, f"went to host {headers.get('Host')} instead of {issued.netloc}")
        return altered

    def _violation(self, put: _Put, text: str) -> None:
        put.chunk.why = put.chunk.why or text
        upload = put.record.publish_id or "an unknown upload"
        self._book.violation(f"PUT {put.record.range} of {upload} {text}")

    # -- one at a time ---------------------------------------------------------------------------

    async def _in_turn(self, put: _Put, post: Post) -> _Answer:
        while (busy := self._lanes.get(post.publish_id)) is not None:
            if not await self._has_left(busy):
                await put.peer.prove_alive()
                self._violation(put, "was sent while another PUT of this upload was unanswered")
                return self._refusal(post, 416)
        with self._lane(put, post) as lane:
            return await self._serve(put, post, lane)

    async def _has_left(self, busy: _Lane) -> bool:
        """Wait for a PUT to end; tell whether it does because its client went away."""
        busy.hurry.set()
        content = busy.put.request.content
        begun = seen = content.total_bytes
        idle = 0
        while idle < _IDLE_LOOKS and seen - begun <= _MOST_IN_FLIGHT:
            try:
                await asyncio.wait_for(busy.done.wait(), _LOOK_SECONDS)
            except TimeoutError:
                moving = content.total_bytes != seen or busy.put.peer.hung_up
                idle = 0 if moving else idle + 1
                seen = content.total_bytes
            else:
                return busy.gone
        return False

    @contextmanager
    def _lane(self, put: _Put, post: Post) -> Iterator[_Lane]:
        lane = self._lanes[post.publish_id] = _Lane(put)
        try:
            yield lane
        finally:
            lane.gone = put.peer.hung_up
            del self._lanes[post.publish_id]
            lane.done.set()

    # -- one PUT ---------------------------------------------------------------------------------

    async def _serve(self, put: _Put, post: Post, lane: _Lane) -> _Answer:
        if put.effect == "expire":
            post.expire()
        if put.fault is not None and put.fault.early_status is not None:
            return await self._answer_early(put, post, lane, put.fault)
        if put.effect in ("status", "redirect") and put.fault and not put.fault.stored:
            await put.peer.proceed()
            await put.peer.drain()
            return self._scripted_answer(post, put.fault)
        verdict = judge_put(post, put.request.headers, self._book.clock.now(), post.switches)
        if verdict is not None:
            put.chunk.why = put.chunk.why or verdict.why
        if verdict is not None and verdict.status != 206:
            return self._refusal(post, verdict.status)
        await put.peer.proceed()
        if verdict is not None:
            await put.peer.drain()
            return self._confirm(post, 206)
        return await self._store(put, post, lane)

    async def _store(self, put: _Put, post: Post, lane: _Lane) -> _Answer:
        with self._intake(put, post, lane) as intake:
            await self._receive(put, intake)
            if self._book.clock.now() >= post.expires:  # "the whole upload must finish" in an hour
                put.chunk.why = "the upload URL expired meanwhile"
                return self._confirm(post, 403)
            if post.cancelled is not None:
                put.chunk.why = "the upload was cancelled meanwhile"
                return self._confirm(post, 404)
            post.content_type = put.request.headers["Content-Type"]
            intake.commit()
        if put.effect == "lose_answer":
            await put.peer.reset()
        if put.effect == "stall_answer":
            await put.peer.abandon()
        if put.fault is not None and put.fault.stored:
            return self._scripted_answer(post, put.fault)
        answer = self._confirm(post, 201 if post.complete else 206)
        if put.effect == "malformed" and put.fault is not None:
            shape = put.fault.malformed == "shape"
            return answer._replace(headers={} if shape else {"Content-Range": "bytes ?/?"})
        return answer

    async def _receive(self, put: _Put, intake: Intake) -> None:
        fault = put.fault
        if fault is not None and fault.reset_after is not None:
            await intake.receive(fault.reset_after)
            intake.cut()
            await put.peer.reset()
        elif fault is not None and fault.stall_after is not None:
            put.peer.narrow()
            await intake.receive(fault.stall_after)
            intake.cut()
            await intake.stall()
        elif fault is not None and fault.slow is not None:
            await intake.receive_slowly(fault.slow)
        else:
            await intake.receive()

    async def _answer_early(self, put: _Put, post: Post, lane: _Lane, fault: Fault) -> _Answer:
        if fault.early_after:
            await put.peer.proceed()
            with self._intake(put, post, lane) as intake:
                await intake.receive(fault.early_after)
        answer = self._scripted_answer(post, fault)
        return answer._replace(early=True)

    def _intake(self, put: _Put, post: Post, lane: _Lane) -> Intake:
        keep = put.fault.partial_keep if put.fault else None
        return Intake(
            post,
            put.chunk,
            put.request.content,
            put.peer,
            pool=self._pool,
            hurry=lane.hurry,
            notify=self._book.notify,
            keep_partial=post.switches.partial_bytes == "kept" if keep is None else keep,
        )

    # -- answers ---------------------------------------------------------------------------------

    def _confirm(self, post: Post, status: int) -> _Answer:
        # "Content-Range: bytes 0-{UPLOADED_BYTES}/{TOTAL_BYTE_LENGTH}", on every answer.
        return _Answer(status, {"Content-Range": confirmed_range(post, post.switches)})

    def _refusal(self, post: Post, status: int) -> _Answer:
        return self._confirm(post, status)._replace(early=True)

    def _scripted_answer(self, post: Post, fault: Fault) -> _Answer:
        if fault.redirect:
            location = self._trap if fault.redirect is True else fault.redirect
            return _Answer(307, {"Location": location, **fault.headers}, fault.body)
        status = fault.early_status or fault.status or 200
        # A gateway's 5xx knows nothing of the upload; the host itself says how far it is.
        known = self._confirm(post, status).headers if status < 500 else {}
        return _Answer(status, {**known, **fault.headers}, fault.body)
