"""The JSON side: creator_info, the three inits, status, cancel.

Rule: maps a token and a body to `data`, or raises `ApiRefusal`; knows nothing of HTTP beyond the
status that belongs to a code. https://developers.tiktok.com/doc/content-posting-api-get-started
"""

import json
import secrets
from collections.abc import Mapping

from transports.tiktok.sandbox.book import Book, Creator, Token
from transports.tiktok.sandbox.orders import (
    CONTENT_FIELDS,
    INBOX_FIELDS,
    read_content,
    read_inbox,
)
from transports.tiktok.sandbox.posts import FAILED, Post, StatusView
from transports.tiktok.sandbox.rules import (
    DIRECT_FIELDS,
    ApiRefusal,
    Order,
    privacy_options,
    read_order,
    unknown_fields,
)

PATHS: Mapping[str, str] = {
    "/v2/post/publish/creator_info/query/": "creator_info",
    "/v2/post/publish/video/init/": "init",
    "/v2/post/publish/inbox/video/init/": "inbox_init",
    "/v2/post/publish/content/init/": "content_init",
    "/v2/post/publish/status/fetch/": "status",
    "/v2/post/publish/cancel/": "cancel",
}
INITS: Mapping[str, Mapping[str, frozenset[str]]] = {
    "init": DIRECT_FIELDS,
    "inbox_init": INBOX_FIELDS,
    "content_init": CONTENT_FIELDS,
}
"""The operations that open a post, and the fields that each of them knows."""
_SCOPES: Mapping[str, frozenset[str]] = {
    "creator_info": frozenset({"video.publish"}),
    "init": frozenset({"video.publish"}),
    "inbox_init": frozenset({"video.upload"}),
    # Which of them, the post_mode says.
    "content_init": frozenset({"video.publish", "video.upload"}),
    "status": frozenset({"video.publish", "video.upload"}),
    "cancel": frozenset({"video.publish", "video.upload"}),
}

# Codes that stop a creator, and the inits whose tables have them.
_STOPS: Mapping[str, frozenset[str]] = {
    "spam_risk_too_many_posts": frozenset({"init", "content_init"}),
    "spam_risk_user_banned_from_posting": frozenset({"init", "inbox_init", "content_init"}),
    "reached_active_user_cap": frozenset({"init", "content_init"}),
}

Data = dict[str, object]


class Api:
    """Answer the calls of one sandbox."""

    def __init__(self, book: Book, *, rate_limits: bool) -> None:
        self._book = book
        self._rate_limits = rate_limits

    def authorise(self, operation: str, authorization: str | None) -> Token:
        """Return the token of a request: known, of the right scope, within its rate."""
        scheme, _, value = (authorization or "").partition(" ")
        token = self._book.token(value) if scheme == "Bearer" else None
        if token is None:
            raise ApiRefusal("access_token_invalid", "The access token is invalid or not found")
        if not token.scopes & _SCOPES[operation]:
            raise ApiRefusal("scope_not_authorized", "The user did not authorize the scope")
        if self._rate_limits and not self._book.admit(token, operation):
            raise ApiRefusal("rate_limit_exceeded", "The API rate limit was exceeded")
        return token

    def call(
        self, operation: str, token: Token, body: bytes, content_type: str, origin: str
    ) -> tuple[Data | None, Post | None]:
        """Do an operation; return its `data` (None: there is none) and the post it is about."""
        if operation == "creator_info":
            return self._creator_info(token), None
        fields = self._read(body, content_type)
        if operation in INITS:
            post = self._init(operation, token, fields, origin)
            data: Data = {"publish_id": post.publish_id}
            return data if post.urls else {**data, "upload_url": post.url}, post
        post = self._find(token, fields)
        if operation == "cancel":
            self._cancel(post)
            return None, post
        return self._status(post), post

    def envelope(
        self, data: Data | None, code: str = "ok", message: str = "", *, bare: bool = False
    ) -> bytes:
        """Return `{"data", "error": {"code", "message", "log_id"}}`; `bare` leaves data out."""
        log_id = secrets.token_hex(17).upper()
        error = {"code": code, "message": message, self._book.switches.log_id_name: log_id}
        return json.dumps(
            {"error": error} if bare else {"data": data or {}, "error": error}
        ).encode()

    # -- operations ------------------------------------------------------------------------------

    def _creator_info(self, token: Token) -> Data:
        creator = self._book.creators.get(token.account, Creator())
        if creator.refusal is not None:
            raise ApiRefusal(creator.refusal, "the creator may not post now")
        options = privacy_options(private=token.private, audited=self._book.switches.audited)
        return {
            "creator_avatar_url": "https://p16-sandbox.example.invalid/avatar.webp",
            "creator_username": token.account,
            "creator_nickname": token.account,
            "privacy_level_options": list(options),
            "comment_disabled": creator.comment_disabled,
            "duet_disabled": creator.duet_disabled or token.private,
            "stitch_disabled": creator.stitch_disabled or token.private,
            "max_video_post_duration_sec": creator.max_video_post_duration_sec,
        }

    def _init(
        self, operation: str, token: Token, fields: Mapping[str, object], origin: str
    ) -> Post:
        if self._book.rule is not None:
            raise ApiRefusal(self._book.rule, "a rule was changed")
        for path in unknown_fields(fields, INITS[operation]):
            self._book.violation(f"{operation}: {path} is not a field that TikTok knows")
        order = self._order(operation, token, fields)
        scope = "video.upload" if order.inbox else "video.publish"
        if scope not in token.scopes:
            raise ApiRefusal("scope_not_authorized", f"The user did not authorize {scope}")
        refusal = self._book.creators.get(token.account, Creator()).refusal
        if refusal is not None and operation in _STOPS.get(refusal, ()):
            raise ApiRefusal(refusal, "the creator may not post now")
        pending = self._book.pending_drafts(token.account)
        if order.inbox and pending >= self._book.switches.pending_drafts:
            raise ApiRefusal("spam_risk_too_many_pending_share", f"{pending} drafts are pending")
        most = self._book.switches.posts_a_day
        if most is not None and not order.inbox and self._book.posts_today(token.account) >= most:
            raise ApiRefusal("spam_risk_too_many_posts", f"{most} posts were made within a day")
        return self._book.open_post(order, token, fields, origin)

    def _order(self, operation: str, token: Token, fields: Mapping[str, object]) -> Order:
        switches, owned = self._book.switches, self._book.owns
        if operation == "inbox_init":
            return read_inbox(fields, switches, owned)
        if operation == "content_init":
            return read_content(fields, switches, owned, private=token.private)
        return read_order(fields, switches, private=token.private, owned=owned)

    def _status(self, post: Post) -> Data:
        switches = self._book.switches
        now = self._book.clock.now()
        view = post.view(now - switches.status_lag)
        data: Data = {"status": view.status}
        if view.fail_reason is not None:
            data["fail_reason"] = view.fail_reason
        data[switches.post_id_name] = self._post_id(view)
        if post.urls:
            data["downloaded_bytes"] = post.downloaded_bytes(now - switches.uploaded_bytes_lag)
        elif switches.uploaded_bytes == "shown":
            data["uploaded_bytes"] = post.uploaded_bytes(now - switches.uploaded_bytes_lag)
        return data

    def _post_id(self, view: StatusView) -> object:
        match self._book.switches.post_id_shape:
            case "ints":
                return list(view.post_ids)
            case "strings":
                return [str(post_id) for post_id in view.post_ids]
            case _:
                return "".join(str(post_id) for post_id in view.post_ids)

    def _cancel(self, post: Post) -> None:
        # Documented for PULL_FROM_URL downloads only: "not near completion or in processing".
        refused = self._book.switches.cancel == "refused" and not post.urls
        if refused or post.complete or post.status == FAILED:
            raise ApiRefusal("publish_not_cancellable", "The publish cannot be cancelled")
        post.cancelled = self._book.clock.now()

    # -- bodies ----------------------------------------------------------------------------------

    def _find(self, token: Token, fields: Mapping[str, object]) -> Post:
        publish_id = fields.get("publish_id")
        if not isinstance(publish_id, str):
            raise self._invalid("publish_id is required and must be a string")
        post = self._book.post(publish_id)
        if post is None:
            raise ApiRefusal("invalid_publish_id", "The publish_id does not exist")
        if post.account != token.account:
            raise ApiRefusal(
                "token_not_authorized_for_specified_publish_id",
                "The access token is not authorized for this publish_id",
            )
        return post

    def _read(self, body: bytes, content_type: str) -> Mapping[str, object]:
        if content_type != "application/json":
            raise self._invalid(f"Content-Type is {content_type or 'absent'}, not application/json")
        try:
            fields = json.loads(body)
        except (ValueError, RecursionError):
            raise self._invalid("the body is not JSON") from None
        if not isinstance(fields, dict):
            raise self._invalid("the body is not a JSON object")
        return fields

    def _invalid(self, message: str) -> ApiRefusal:
        return ApiRefusal(self._book.switches.invalid_param, message)
