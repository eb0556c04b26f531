"""Is a post worth its bytes? Asks the creator's settings, reads the file's header, and compares.

Rule: an edge. It refuses what TikTok is known to refuse, with every reason at once, and only that.
Nothing is sent but the question for creator info, whose answer is kept for a short life.
"""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import Hashable
from dataclasses import asdict, dataclass
from typing import Any, Final

from transports.tiktok import operations
from transports.tiktok.destination import InboxDraft, TikTokAccount
from transports.tiktok.destination_remote import PhotoPost, PullPost
from transports.tiktok.media_file import read_media
from transports.tiktok.media_header import MediaHeaderError, MediaInfo
from transports.tiktok.operations import CreatorInfo
from transports.tiktok.verdict import Problem, of_creator, of_media, remarks
from uploader import planner
from uploader.api import AsyncUploader, Uploader
from uploader.errors import ConfigurationError, PlanError, RejectedError
from uploader.secret import Secret
from uploader.source import SourceInput, describe
from uploader.transport import Flow

LIFE: Final = 60.0
"""Seconds for which an account's settings are believed. TikTok wants them "latest" when a post is
made, and answers the question 20 times a minute."""


class PreflightError(ConfigurationError):
    """The post is hopeless; `problems` are all the reasons. Nothing was sent."""

    def __init__(self, problems: tuple[Problem, ...], *, upload_id: str | None = None) -> None:
        count = "one reason" if len(problems) == 1 else f"{len(problems)} reasons"
        reasons = "; ".join(problem.says for problem in problems)
        super().__init__(f"TikTok would refuse the post for {count}: {reasons}")
        self.upload_id = upload_id
        self.problems = problems
        for advice in dict.fromkeys(problem.advice for problem in problems if problem.advice):
            self.add_note(advice)

    def to_dict(self) -> dict[str, Any]:
        return {**super().to_dict(), "problems": [asdict(problem) for problem in self.problems]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Preflight:
    """What a post that may go out was checked against.

    `creator` is `None` for a draft, `media` where no file is sent or nothing could be read of it.
    `remarks` tell what will be other than the post says, or was not checked.
    """

    creator: CreatorInfo | None = None
    media: MediaInfo | None = None
    remarks: tuple[str, ...] = ()


def check(up: Uploader, source: SourceInput | None, post: TikTokAccount) -> Preflight:
    """Check a post before it goes out; raise `PreflightError` when it is hopeless.

    `source` is what `up.upload` would be given, `None` for posts without bytes. What cannot be
    asked raises as `up.call` does, what cannot be read a `SourceError`.
    """
    asked = _Question(up, post)
    if asked.is_due():
        with asked.turn:  # of many at once one asks
            if asked.is_due():
                try:
                    asked.learn(up.call(post, "creator_info", asked.flow))
                except RejectedError as error:
                    asked.refused = error
    return _judged(source, post, asked)


async def check_async(
    up: AsyncUploader, source: SourceInput | None, post: TikTokAccount
) -> Preflight:
    """Do the same from asyncio."""
    asked = _Question(up, post)
    if asked.is_due():
        try:
            asked.learn(await up.call(post, "creator_info", asked.flow))
        except RejectedError as error:
            asked.refused = error
    return await asyncio.to_thread(_judged, source, post, asked)


def _judged(source: SourceInput | None, post: TikTokAccount, asked: _Question) -> Preflight:
    creator, notes = asked.answer, list[str]()
    problems: list[Problem] = []
    if asked.refused is not None:
        error = asked.refused
        problems.append(Problem.of(error.vendor_code or error.code, error.message))
    if creator is not None:
        problems += of_creator(post, creator)
        notes += remarks(post, creator)
    media = None
    if source is not None and not isinstance(post, PullPost | PhotoPost):
        media, remark = _media(source, post, problems)
        notes += [remark] if remark else []
    if media is not None:
        problems += of_media(media, post.limits, creator)
    if problems:
        raise PreflightError(tuple(problems))
    return Preflight(creator=creator, media=media, remarks=tuple(notes))


def _media(
    source: SourceInput, post: TikTokAccount, problems: list[Problem]
) -> tuple[MediaInfo | None, str | None]:
    facts, opened = describe(source)
    try:
        kind = post.transport().content_type(facts)
    except ConfigurationError as error:
        problems.append(Problem.of("file_format_check_failed", error.message))
        return None, None
    try:
        planner.plan(facts.size, post.transport().capabilities)
    except PlanError as error:
        problems.append(Problem(code="file_size", says=error.message, advice="make it smaller"))
    try:
        return read_media(opened, facts.name, facts.size, kind)
    except MediaHeaderError as error:
        name = facts.name or "the content"
        problems.append(Problem.of("file_format_check_failed", f"{name}: {error}"))
        return None, None


class _Kept:
    """The answers of one uploader's accounts, and one turn for each to ask."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._turns: dict[Hashable, threading.Lock] = {}
        self.answers: dict[Hashable, tuple[CreatorInfo, float]] = {}

    def turn(self, key: Hashable) -> threading.Lock:
        with self._lock:
            return self._turns.setdefault(key, threading.Lock())


_KEPT: weakref.WeakKeyDictionary[Uploader | AsyncUploader, _Kept] = weakref.WeakKeyDictionary()
_KEPT_LOCK = threading.Lock()


class _Question:
    """Creator info for one post: kept from before, or still to be asked."""

    def __init__(self, up: Uploader | AsyncUploader, post: TikTokAccount) -> None:
        with _KEPT_LOCK:
            self._kept = _KEPT.setdefault(up, _Kept())
        self._up, self._post = up, post
        token = None if post.access_token is None else Secret(post.access_token)
        # An account's name says whose settings these are; without one, the credential does.
        whose = post.account if post.account is not None else (token, id(post.credentials))
        self._key: Hashable = (post.base_url, whose)
        self.turn = self._kept.turn(self._key)
        self.answer: CreatorInfo | None = None
        self.refused: RejectedError | None = None

    def is_due(self) -> bool:
        """Look for a kept answer; tell whether to ask. The creator of a draft decides in the app.

        Drafts need the scope video.upload, with which the question could not be asked anyway.
        """
        post = self._post
        if isinstance(post, InboxDraft):
            return False
        if isinstance(post, PullPost | PhotoPost) and not post.posts_directly:
            return False
        answer, since = self._kept.answers.get(self._key, (None, 0.0))
        if answer is not None and 0 <= self._up.now() - since < LIFE:
            self.answer = answer
        return self.answer is None

    def flow(self) -> Flow[CreatorInfo]:
        return operations.creator_info(self._post.base_url)

    def learn(self, answer: CreatorInfo) -> None:
        self.answer = answer
        self._kept.answers[self._key] = (answer, self._up.now())
