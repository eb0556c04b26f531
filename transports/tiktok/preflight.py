"""Is a post worth its bytes? Asks the creator's settings, reads the file's header, and compares.

Rule: an edge. It refuses what TikTok is known to refuse, with every reason at once, and only that.
Nothing is sent but the question for creator info, whose answer is kept for a short life.
"""

from __future__ import annotations

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
from uploader import errors, planner
from uploader.api import AsyncUploader, Uploader
from uploader.errors import ConfigurationError, PlanError, RejectedError
from uploader.secret import Secret
from uploader.source import SourceInput, describe
from uploader.transport import Flow

LIFE: Final = 60.0
"""Seconds for which an account's settings are believed. TikTok wants them "latest" when a post is
made, and answers the question 20 times a minute."""


class PreflightError(errors.PreflightError):
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
    found: Preflight = up.preflight(source, post)
    return found


async def check_async(
    up: AsyncUploader, source: SourceInput | None, post: TikTokAccount
) -> Preflight:
    """Do the same from asyncio."""
    found: Preflight = await up.preflight(source, post)
    return found


class PostCheck:
    """The check of one post, as an uploader drives it: `uploader.transport.Preflight`."""

    life = LIFE

    def __init__(self, post: TikTokAccount) -> None:
        self._post = post

    @property
    def key(self) -> Hashable | None:
        """An account's name says whose settings these are; without one, the credential does.

        The creator of a draft decides in the app, and the scope of drafts does not cover the
        question.
        """
        post = self._post
        if isinstance(post, InboxDraft):
            return None
        if isinstance(post, PullPost | PhotoPost) and not post.posts_directly:
            return None
        token = None if post.access_token is None else Secret(post.access_token)
        whose = post.account if post.account is not None else (token, id(post.credentials))
        return "tiktok", post.base_url, whose

    def ask(self) -> Flow[CreatorInfo | RejectedError]:
        """Ask for creator info; that nobody may post now is one reason among others."""
        try:
            return (yield from operations.creator_info(self._post.base_url))
        except RejectedError as error:
            return error

    def judge(self, answer: CreatorInfo | RejectedError | None, source: Any) -> Preflight:
        """Read the file's header, and compare both with what TikTok refuses."""
        post, notes, problems = self._post, list[str](), list[Problem]()
        creator = None
        if isinstance(answer, RejectedError):
            problems.append(Problem.of(answer.vendor_code or answer.code, answer.message))
        elif answer is not None:
            creator = answer
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
