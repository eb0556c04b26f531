"""The drop-in for code that knows a synchronous `TikTokPublishService`.

Rule: the call shape of old, the engine of new: nothing is implemented twice here. An edge: it
imports the synchronous face.
"""

from __future__ import annotations

import importlib
import ssl
import sys
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from transports.tiktok.calls import post_status
from transports.tiktok.destination import DirectPost, PrivacyLevel
from transports.tiktok.hosts import API_URL, check_upload_url
from transports.tiktok.limits import TikTokLimits
from transports.tiktok.preflight import check
from uploader import planner
from uploader.api import Uploader
from uploader.errors import PlanError, UploaderError
from uploader.journal import Journal
from uploader.journals import default_path
from uploader.model import Outcome, Session, UploadResult
from uploader.pacing import PollPolicy
from uploader.secret import MaskedStr, Secret
from uploader.transport import CredentialSource

DJANGO: Final = "uploader.contrib.django"
OLD_PRIVACY: Final = {
    "public": PrivacyLevel.PUBLIC_TO_EVERYONE,
    "private": PrivacyLevel.SELF_ONLY,
}


class TikTokPublishError(UploaderError):
    """A call of the drop-in failed; `error` is what happened, with its own type and numbers."""

    code = "tiktok_publish"

    def __init__(
        self, message: str, *, error: UploaderError | None = None, upload_id: str | None = None
    ) -> None:
        super().__init__(message, upload_id=upload_id)
        self.error = error

    @classmethod
    def of(cls, error: UploaderError) -> TikTokPublishError:
        """Wrap an error of the engine, with its hints."""
        wrapped = cls(error.message, error=error, upload_id=error.upload_id)
        for hint in error.hints:
            wrapped.add_note(hint)
        return wrapped


class TikTokPublishService:
    """Publish videos on one TikTok account, synchronously.

    Use it as a context manager. Every exception that it raises is a `TikTokPublishError`; bad input
    is refused before anything is sent. It may be used from any thread, in a Django view, a Celery
    task or a thread of an ASGI application.

    `journal` remembers every post: a file in the user's state directory by default. So a repeated
    `publish_video` of the same video with the same fields goes on with the same post, after a crash
    or a processing timeout too, and one that was published is not published again. An `uploader`
    that is given brings its own journal, and stays open. In a Django project that lists
    "uploader.contrib.django" in its apps, the project's uploader is used unless one, or a journal,
    or TLS settings are given: its journal, limits and, without an `access_token`, the account's
    stored tokens.

    With `preflight` every post is checked first, and one that TikTok would refuse raises, with
    every reason, before a byte goes out.
    """

    def __init__(
        self,
        access_token: str | Secret = "",
        *,
        account: str | None = None,
        base_url: str = API_URL,
        limits: TikTokLimits | None = None,
        credentials: CredentialSource | None = None,
        ssl_context: ssl.SSLContext | None = None,
        journal: str | Path | Journal | None = None,
        uploader: Uploader | None = None,
        preflight: bool = False,
    ) -> None:
        # Masked before anything can fail: this frame may be printed with its locals.
        access_token = Secret(access_token or "")
        self._token = access_token
        self._stored = False
        self._account = account
        self._base_url = base_url
        self._limits = limits or TikTokLimits()
        self._credentials = credentials
        if uploader is None and journal is None and ssl_context is None:
            uploader = _uploader_of_the_project()
            self._stored = uploader is not None and not access_token and account is not None
        self._own = uploader is None
        if uploader is None:
            uploader = Uploader(ssl_context=ssl_context, journal=journal or default_path())
        self._uploader = uploader
        self._preflight = preflight
        self._sessions: dict[Secret, Session] = {}
        self._destination()

    def initiate_video_post(
        self,
        video_path: str | Path,
        caption: str = "",
        privacy_level: str = "public",
        disable_comment: bool = False,
        disable_duet: bool = False,
        disable_stitch: bool = False,
    ) -> dict[str, Any]:
        """Open a post and return `publish_id`, `upload_url`, `chunk_size` and `total_chunks`.

        The `upload_url` is a string whose printed forms are masked: it carries a token.
        """
        post = self._destination(
            caption, privacy_level, disable_comment, disable_duet, disable_stitch
        )
        try:
            self._check(video_path, post)
            spec = self._uploader.check(video_path, post)
            transport, created_at = post.transport(), self._uploader.now()
            session = self._uploader.call(
                post, "create", lambda: transport.create(spec), repeatable=False
            )
        except UploaderError as error:
            failure = error
        else:
            url = session.secrets["upload_url"]
            self._sessions[url] = replace(session, created_at=created_at)
            return {
                "publish_id": session.fields["publish_id"],
                "upload_url": MaskedStr(url.reveal()),
                "chunk_size": spec.plan.part_size,
                "total_chunks": spec.plan.count,
            }
        raise TikTokPublishError.of(failure)

    def upload_video_chunks(
        self, upload_url: str | Secret, video_path: str | Path, chunk_size: int, total_chunks: int
    ) -> bool:
        """Send every chunk, in order, and return True; the last one takes the remainder.

        `chunk_size` is in bytes. A count that contradicts the file's size is refused.
        """
        upload_url = Secret(upload_url)
        post = self._destination()
        try:
            spec = self._uploader.check(video_path, post)
            self._check_count(spec.size, chunk_size, total_chunks)
            session = self._session(upload_url, spec.content_type)
            handle = self._uploader.submit(
                video_path, post, wait=False, session=session, part_size=chunk_size
            )
            result = handle.wait()
        except UploaderError as error:
            failure: UploaderError | None = error
        else:
            failure = result.error
            if result.outcome in (Outcome.DONE, Outcome.PROCESSING):
                self._sessions.pop(upload_url, None)
                return True
        if failure is not None:
            raise TikTokPublishError.of(failure)
        raise TikTokPublishError(f"the upload ended {result.outcome}", upload_id=result.upload_id)

    def check_publish_status(self, publish_id: str) -> dict[str, Any]:
        """Return `status`, `video_id`, `fail_reason`, `publish_id` and `post_ids` as of now.

        `video_id` is the public post's id as text, `None` until TikTok has moderated the post, and
        for posts that are not public.
        """
        try:
            status = post_status(self._uploader, self._destination(), str(publish_id))
        except UploaderError as error:
            failure = error
        else:
            ids = list(status.post_ids)
            return {
                "status": status.status,
                "video_id": ids[0] if ids else None,
                "fail_reason": status.fail_reason,
                "publish_id": status.publish_id,
                "post_ids": ids,
            }
        raise TikTokPublishError.of(failure)

    def publish_video(
        self,
        video_path: str | Path,
        caption: str = "",
        privacy_level: str = "public",
        disable_comment: bool = False,
        disable_duet: bool = False,
        disable_stitch: bool = False,
        poll_interval: float = 5,
        max_poll_attempts: int = 60,
    ) -> dict[str, Any]:
        """Publish a video and return `success`, `video_id`, `publish_id` and `error`.

        It asks every `poll_interval` seconds, `max_poll_attempts` times. When TikTok is still at
        work then, `error` is "Processing timeout": the post has not failed. Calling again goes on
        watching it, as does `check_publish_status` with the `publish_id`. What TikTok refuses is in
        `error`; bad input raises.
        """
        post = self._destination(
            caption, privacy_level, disable_comment, disable_duet, disable_stitch
        )
        interval = max(0.0, poll_interval)
        poll = PollPolicy(
            first=interval,
            factor=1.0,
            slowest=interval,
            limit=float("inf"),
            attempts=max_poll_attempts,
        )
        try:
            result = self._uploader.upload(video_path, post, poll=poll, preflight=self._preflight)
        except UploaderError as error:
            failure = error
        else:
            return _answer(result)
        raise TikTokPublishError.of(failure)

    def close(self) -> None:
        """Give threads and connections back, unless the uploader was given."""
        if self._own:
            self._uploader.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _destination(
        self,
        caption: str = "",
        privacy_level: str = PrivacyLevel.SELF_ONLY,
        disable_comment: bool = False,
        disable_duet: bool = False,
        disable_stitch: bool = False,
    ) -> DirectPost:
        try:
            return DirectPost(
                account=self._account,
                access_token=None if self._credentials or self._stored else self._token,
                credentials=self._credentials,
                title=caption,
                privacy_level=OLD_PRIVACY.get(privacy_level, privacy_level),
                disable_comment=disable_comment,
                disable_duet=disable_duet,
                disable_stitch=disable_stitch,
                base_url=self._base_url,
                limits=self._limits,
            )
        except UploaderError as error:
            failure = error
        raise TikTokPublishError.of(failure)

    def _check(self, video_path: str | Path, post: DirectPost) -> None:
        if self._preflight:
            check(self._uploader, video_path, post)

    def _session(self, upload_url: Secret, content_type: str) -> Session:
        """Return the session of our own init, or one without a publish_id for a foreign URL."""
        known = self._sessions.get(upload_url)
        if known is not None:
            return known
        checked = check_upload_url(upload_url, self._destination().base_url)
        return Session({"publish_id": None, "content_type": content_type}, {"upload_url": checked})

    def _check_count(self, size: int, chunk_size: int, total_chunks: int) -> None:
        if chunk_size < 1:
            raise PlanError(f"a chunk size of {chunk_size:,} bytes is impossible")
        plan = planner.cut(size, chunk_size, self._limits.capabilities())
        if total_chunks != plan.count:
            raise PlanError(
                f"{total_chunks:,} chunks of {chunk_size:,} bytes contradict {size:,} bytes:"
                f" TikTok wants {plan.count:,}, the last of them {plan.last_length:,} bytes long"
            ).hint("the count is the size divided by the chunk size, rounded down")


def _uploader_of_the_project() -> Uploader | None:
    """Return the uploader of a Django project that is set up in this process."""
    conf, apps = sys.modules.get("django.conf"), sys.modules.get("django.apps")
    if conf is None or apps is None or not conf.settings.configured or not apps.apps.ready:
        return None
    if not apps.apps.is_installed(DJANGO):
        return None
    found: Uploader = importlib.import_module(DJANGO).get_uploader()
    return found


def _answer(result: UploadResult) -> dict[str, Any]:
    ids = list(result.fields.get("post_ids", ()))
    success = result.outcome is Outcome.DONE
    error = None
    if result.outcome is Outcome.PROCESSING:
        error = "Processing timeout"
    elif not success:
        reason = result.fields.get("fail_reason")
        error = reason or (result.error.message if result.error else str(result.outcome))
    return {
        "success": success,
        "video_id": ids[0] if ids else None,
        "publish_id": result.fields.get("publish_id"),
        "error": error,
    }
