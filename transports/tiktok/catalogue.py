"""What TikTok's words for a failure mean: one row for each documented code, reason and answer.

Rule: data. Errors, hints and `uploader explain` read the same rows, so that nobody is told two
things of one code. Sources: the error tables of the endpoints' reference pages under
https://developers.tiktok.com/doc/content-posting-api-reference-direct-post and its neighbours,
`fail_reason` of content-posting-api-reference-get-video-status, and the answers of
content-posting-api-media-transfer-guide.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from transports.tiktok.paths import INITS, Endpoint
from uploader.errors import (
    AuthenticationError,
    OffsetMismatchError,
    RateLimitedError,
    RejectedError,
    ServerError,
    SessionExpiredError,
    TransportError,
)
from uploader.transport import CodeMeaning

FAIL_REASON: Final = "fail_reason"
"""Where a reason stands that ends a post as FAILED, inside a status that is itself "ok"."""
UPLOAD_HOST: Final = "upload host"
_ALL: Final = tuple(Endpoint)
_DIRECT: Final = (Endpoint.VIDEO_INIT, Endpoint.CONTENT_INIT)
_WITH_INFO: Final = (*_DIRECT, Endpoint.CREATOR_INFO)
_ABOUT_A_POST: Final = (Endpoint.STATUS, Endpoint.CANCEL)


class Remedy(StrEnum):
    """Who can help, and how."""

    WAIT = "wait"
    LOG_IN = "log in"
    CHANGE_POST = "change the post"
    CHANGE_FILE = "change the file"
    POST_AGAIN = "post again"
    DEVELOPER = "tell the developers"
    NOTHING = "nothing"


def _row(
    code: str,
    says: str,
    advice: str,
    remedy: Remedy,
    where: tuple[str, ...],
    *statuses: int,
    kind: type[TransportError] = RejectedError,
    general: bool | None = None,
    spellings: tuple[str, ...] = (),
) -> CodeMeaning:
    return CodeMeaning(
        code=code,
        kind=kind,
        recovery=kind.default_recovery,
        remedy=remedy,
        says=says,
        advice=advice,
        where=tuple(str(place) for place in where),
        statuses=statuses,
        general=remedy is Remedy.DEVELOPER if general is None else general,
        spellings=spellings,
    )


API: Final[tuple[CodeMeaning, ...]] = (
    # The endpoints' tables say `invalid_param`, the wire `invalid_params`.
    _row(
        "invalid_params",
        "TikTok refused what the request says; its message names the field",
        "check the post's text, length and settings, and tell the developers what the message says",
        Remedy.DEVELOPER,
        _ALL,
        400,
        spellings=("invalid_param",),
    ),
    _row(
        "invalid_file_upload",
        "TikTok refused the uploaded file",
        "export the video as MP4 (H.264) and post it again",
        Remedy.CHANGE_FILE,
        (Endpoint.VIDEO_INIT, Endpoint.INBOX_INIT),
        400,
    ),
    _row(
        "app_version_check_failed",
        "the creator's TikTok app is too old for this kind of draft",
        "update the TikTok app on the phone to version 31.8 or later, then send the draft again",
        Remedy.CHANGE_POST,
        (Endpoint.CONTENT_INIT,),
        400,
    ),
    _row(
        "invalid_publish_id",
        "TikTok knows no post by this id",
        "check the id; a post that was never opened, or long ago, cannot be asked about",
        Remedy.NOTHING,
        _ABOUT_A_POST,
        400,
    ),
    _row(
        "token_not_authorized_for_specified_publish_id",
        "the post belongs to another account than the one that asks",
        "ask with the account that posted it",
        Remedy.LOG_IN,
        _ABOUT_A_POST,
        400,
    ),
    _row(
        "publish_not_cancellable",
        "the post is too far along to be cancelled",
        "wait for it, then delete it in the TikTok app",
        Remedy.NOTHING,
        (Endpoint.CANCEL,),
        400,
    ),
    _row(
        "access_token_invalid",
        "the access token is wrong or expired",
        "log the account in again",
        Remedy.LOG_IN,
        _ALL,
        401,
        kind=AuthenticationError,
    ),
    _row(
        "scope_not_authorized",
        "the account has not granted the scope that this needs",
        "log the account in again and leave every permission on: video.publish is for posts,"
        " video.upload for drafts",
        Remedy.LOG_IN,
        _ALL,
        401,
        kind=AuthenticationError,
    ),
    _row(
        "scope_permission_missed",
        "the app itself lacks the scope video.publish or video.upload",
        "the developers must apply for it on TikTok's developer portal",
        Remedy.DEVELOPER,
        _ALL,
        400,
        kind=AuthenticationError,
    ),
    _row(
        "spam_risk_too_many_posts",
        "the creator's daily limit of posts through apps is reached",
        "try again tomorrow, or post from the TikTok app",
        Remedy.WAIT,
        (*_WITH_INFO, FAIL_REASON),
        403,
    ),
    _row(
        "spam_risk_too_many_pending_share",
        "five drafts from apps already wait in the creator's inbox",
        "finish or discard drafts in the TikTok app, or wait a day",
        Remedy.WAIT,
        (Endpoint.INBOX_INIT, Endpoint.CONTENT_INIT),
        403,
    ),
    _row(
        "spam_risk_user_banned_from_posting",
        "TikTok has banned this creator from posting",
        "look at the account's notices in the TikTok app; nothing here can lift it",
        Remedy.NOTHING,
        (*INITS, Endpoint.CREATOR_INFO, FAIL_REASON),
        403,
    ),
    _row(
        "reached_active_user_cap",
        "the app has served as many creators in 24 hours as TikTok allows it",
        "try again tomorrow; the developers can ask TikTok for a larger quota",
        Remedy.WAIT,
        _WITH_INFO,
        403,
    ),
    _row(
        "unaudited_client_can_only_post_to_private_accounts",
        "TikTok has not audited the app yet, and the account is public",
        "make the account private and post as SELF_ONLY until the audit has passed",
        Remedy.CHANGE_POST,
        _DIRECT,
        403,
        general=True,  # what the app may do is the same for all accounts that are public
    ),
    _row(
        "url_ownership_unverified",
        "TikTok does not know that the address of the media belongs to the app",
        "the developers must verify its domain or URL prefix on TikTok's developer portal",
        Remedy.DEVELOPER,
        INITS,
        403,
    ),
    _row(
        "privacy_level_option_mismatch",
        "the creator does not offer this privacy level now",
        "choose one of those that the account offers at this moment",
        Remedy.CHANGE_POST,
        _DIRECT,
        403,
    ),
    _row(
        "rate_limit_exceeded",
        "too many requests for this account within a minute",
        "nothing is lost: it goes on by itself after a short wait",
        Remedy.WAIT,
        _ALL,
        429,
        kind=RateLimitedError,
    ),
    _row(
        "internal_error",
        "TikTok failed on its side",
        "wait; before posting again, look whether the post is there",
        Remedy.WAIT,
        _ALL,
        500,
        kind=ServerError,
    ),
)

_REASONS: Final[tuple[CodeMeaning, ...]] = tuple(
    _row(code, says, advice, remedy, (FAIL_REASON,))
    for code, says, advice, remedy in (
        (
            "file_format_check_failed",
            "TikTok does not take the file's format",
            "export it as MP4 (H.264), MOV or WebM; photos as JPEG or WebP",
            Remedy.CHANGE_FILE,
        ),
        (
            "duration_check_failed",
            "the video is longer, or shorter, than this creator may post",
            "trim it: most accounts may post 3 to 10 minutes",
            Remedy.CHANGE_FILE,
        ),
        (
            "frame_rate_check_failed",
            "the frame rate is outside 23 to 60 frames a second",
            "export it with 24, 25, 30 or 60 frames a second",
            Remedy.CHANGE_FILE,
        ),
        (
            "picture_size_check_failed",
            "the picture is too small or too large",
            "export a video with 360 to 4096 pixels on each side, photos of at most 1080p",
            Remedy.CHANGE_FILE,
        ),
        (
            "internal",
            "TikTok failed on its side, and nothing was published",
            "post it again",
            Remedy.POST_AGAIN,
        ),
        (
            "video_pull_failed",
            "TikTok could not download the video from its address",
            "check that the address is public, does not redirect and answers fast enough, then"
            " post again",
            Remedy.POST_AGAIN,
        ),
        (
            "photo_pull_failed",
            "TikTok could not download a photo from its address",
            "check that each address is public, does not redirect and is a JPEG or WebP, then"
            " post again",
            Remedy.POST_AGAIN,
        ),
        ("publish_cancelled", "the post was cancelled", "post it again if it is still wanted",
         Remedy.POST_AGAIN),
        (
            "auth_removed",
            "the creator has removed the app's access",
            "log the account in again, then post it again",
            Remedy.LOG_IN,
        ),
        (
            "spam_risk_text",
            "TikTok takes the text for spam or finds it against its rules",
            "write another caption; do not post the same one again",
            Remedy.CHANGE_POST,
        ),
        (
            "spam_risk",
            "TikTok takes the post for spam",
            "look at the account's notices in the TikTok app; do not post the same again",
            Remedy.NOTHING,
        ),
    )
)  # fmt: skip

_HOST: Final[tuple[CodeMeaning, ...]] = tuple(
    _row(code, says, advice, remedy, (UPLOAD_HOST,), *statuses, kind=kind)
    for code, statuses, kind, says, advice, remedy in (
        ("400", (400,), RejectedError, "the headers or the length are malformed",
         "tell the developers: this is a mistake of the program, not of the video",
         Remedy.DEVELOPER),
        ("403", (403,), SessionExpiredError, "the upload URL has expired",
         "upload it again: an upload must end within an hour", Remedy.POST_AGAIN),
        ("404", (404,), SessionExpiredError, "there is no such upload",
         "upload it again, after a look whether the post is there", Remedy.POST_AGAIN),
        ("416", (416,), OffsetMismatchError, "the server holds other bytes",
         "nothing is lost: the server is asked what it has, and the upload goes on there",
         Remedy.WAIT),
        ("5xx", (500, 502, 503, 504), ServerError, "the upload host failed",
         "nothing is lost: the same piece is sent again by itself", Remedy.WAIT),
    )
)  # fmt: skip

MEANINGS: Final = (*API, *_REASONS, *_HOST)
"""Every row, in the order of the tables."""

_BY_CODE: Final[Mapping[str, CodeMeaning]] = {
    name: row for row in (*API, *_REASONS) for name in (row.code, *row.spellings)
}
_BY_STATUS: Final[Mapping[int, CodeMeaning]] = {
    status: row for row in _HOST for status in row.statuses
}


def meaning(code: str) -> CodeMeaning | None:
    """Return the row of an error code or a fail reason, in either spelling."""
    return _BY_CODE.get(code)


def host_meaning(status: int) -> CodeMeaning | None:
    """Return the row of an answer of the upload host."""
    return _BY_STATUS.get(status) or (_HOST[-1] if status >= 500 else None)


def documented(place: str) -> tuple[CodeMeaning, ...]:
    """Return the rows that an endpoint, `FAIL_REASON` or `UPLOAD_HOST` may answer with."""
    return tuple(row for row in MEANINGS if place in row.where)
