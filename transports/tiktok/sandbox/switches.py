"""One switch for every question that TikTok's public pages leave open.

Rule: the defaults are the strictest reading, so a client that passes with them stays inside both
readings; a test turns one switch at a time to prove it.
"""

from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

UPLOAD_PATHS = ("/video/", "/upload/", "/upload")
"""Paths of `upload_url` that the documentation shows or that have been issued."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Switches:
    """Choose how the sandbox behaves where the real service is undocumented.

    Times are seconds on the sandbox's clock. A value outside its choices raises `ValueError`.
    """

    # -- init ------------------------------------------------------------------------------------
    megabyte: Literal["strict", "decimal", "binary"] = "strict"
    """"MB" is never defined. `strict`: inside both, chunks of 5,242,880 to 64,000,000 bytes."""
    one_chunk_rule: bool = True
    """One chunk must be declared as `chunk_size == video_size` (seen since August 2026)."""
    invalid_param: Literal["invalid_params", "invalid_param"] = "invalid_params"
    """The code on the wire, or the one in the endpoint's own table."""
    message_precedence: Literal["count", "size"] = "count"
    """Which message is sent when both the count and the chunk size are wrong."""
    brand_toggles_required: bool = False
    """The table says that the brand toggles are required; the official examples omit them."""
    branded_self_only: Literal["refused", "accepted"] = "refused"
    """Branded content must not be SELF_ONLY; the API's reaction to the pair is not documented."""
    audited: bool = True
    """An unaudited client may only post SELF_ONLY, for private accounts."""
    identical_init: Literal["second_task", "same_task"] = "second_task"
    """Whether a repeated init makes a second task (and post) or is recognised."""
    log_id_name: Literal["log_id", "logid"] = "log_id"
    """The examples' spelling, or the field table's."""
    retry_after: int | None = None
    """Seconds in a `Retry-After` header on 429 answers; None: no such header."""

    # -- drafts, photos and pulls ----------------------------------------------------------------
    pending_drafts: int = 5
    """Drafts of 24 hours that may wait in a creator's inbox; the next init is refused."""
    posts_a_day: int | None = None
    """Posts that a creator's account takes in 24 hours; TikTok's number is not the same for all."""
    url_ownership: Literal["checked", "unchecked"] = "checked"
    """Whether addresses must lie below a prefix given to `Sandbox.verify_url`."""
    pull: Literal["succeeds", "fails"] = "succeeds"
    """What becomes of a download. Nothing is really fetched."""
    pull_seconds: float = 0.0
    """How long a download takes."""
    pull_bytes: int = 10_000_000
    """How large what is downloaded counts as."""

    # -- the upload URL --------------------------------------------------------------------------
    upload_host: str | None = None
    """None: this server. Else a host such as `open-upload-sg.tiktokapis.com`, or an origin."""
    upload_path: str = "/video/"
    """`/video/`, `/upload/` or `/upload` (without slash)."""
    upload_url_length: int = 0
    """Pad the URL to at least this length; real ones exceed the documented 256 characters."""
    upload_url_seconds: float = 3600.0
    """Life of the URL; the whole upload must finish in it."""
    expired_task: Literal["processing", "failed"] = "processing"
    """What the status says of an unfinished task whose URL has expired."""

    # -- PUT -------------------------------------------------------------------------------------
    content_range_counts: bool = True
    """`Content-Range: bytes 0-N/TOTAL` of an answer: N is a count, or else the last index."""
    stored_range_again: Literal[416, 206] = 416
    """The answer to a chunk that is already stored."""
    partial_bytes: Literal["discarded", "kept"] = "discarded"
    """What happens to the bytes of a chunk that was cut off."""
    oversize_status: Literal[400, 502] = 400
    """The answer to a body longer than its Content-Range; a gateway was seen to say 502."""

    # -- status ----------------------------------------------------------------------------------
    uploaded_bytes: Literal["shown", "absent"] = "shown"
    """Whether the status carries `uploaded_bytes` at all."""
    uploaded_bytes_lag: float = 0.0
    """`uploaded_bytes` shows what was stored this long ago."""
    status_lag: float = 0.0
    """The status shows the state of this long ago."""
    post_id: Literal["shown", "never"] = "shown"
    """Whether a public post ever gets its id."""
    post_id_delay: float = 0.0
    """Moderation: time from PUBLISH_COMPLETE to the post id."""
    post_id_name: Literal["publicaly_available_post_id", "publicly_available_post_id"] = (
        "publicaly_available_post_id"
    )
    """TikTok's spelling, or the right one."""
    post_id_shape: Literal["ints", "strings", "string"] = "ints"
    """A list of int64 as documented, a list of strings, or a bare string."""
    stuck_processing: bool = False
    """Stay in PROCESSING_UPLOAD for ever after the last byte."""
    fail_reason: str | None = None
    """End in FAILED with this reason instead of PUBLISH_COMPLETE."""
    cancel: Literal["refused", "accepted"] = "refused"
    """Effect of cancel on an unfinished FILE_UPLOAD task; a download can always be cancelled."""

    def __post_init__(self) -> None:
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                raise ValueError(f"{name}={getattr(self, name)!r}: choose one of {choices}")
        for name in _NOT_NEGATIVE:
            if (getattr(self, name) or 0) < 0:
                raise ValueError(f"{name} must not be negative: {getattr(self, name)}")
        if self.upload_url_seconds <= 0:
            raise ValueError(f"upload_url_seconds must be positive: {self.upload_url_seconds}")
        if self.upload_host is not None and not urlsplit(self.upload_origin or "").hostname:
            raise ValueError(f"upload_host={self.upload_host!r}: a host or an origin is expected")

    @property
    def upload_origin(self) -> str | None:
        """Return the named upload host as an origin, https unless it says otherwise."""
        if self.upload_host is None or "://" in self.upload_host:
            return self.upload_host
        return f"https://{self.upload_host}"


_NOT_NEGATIVE = (
    "uploaded_bytes_lag",
    "status_lag",
    "post_id_delay",
    "pull_seconds",
    "pull_bytes",
    "pending_drafts",
    "posts_a_day",
)
_CHOICES: dict[str, tuple[object, ...]] = {
    "megabyte": ("strict", "decimal", "binary"),
    "invalid_param": ("invalid_params", "invalid_param"),
    "message_precedence": ("count", "size"),
    "branded_self_only": ("refused", "accepted"),
    "identical_init": ("second_task", "same_task"),
    "log_id_name": ("log_id", "logid"),
    "upload_path": UPLOAD_PATHS,
    "expired_task": ("processing", "failed"),
    "stored_range_again": (416, 206),
    "partial_bytes": ("discarded", "kept"),
    "oversize_status": (400, 502),
    "uploaded_bytes": ("shown", "absent"),
    "post_id": ("shown", "never"),
    "url_ownership": ("checked", "unchecked"),
    "pull": ("succeeds", "fails"),
    "post_id_name": ("publicaly_available_post_id", "publicly_available_post_id"),
    "post_id_shape": ("ints", "strings", "string"),
    "cancel": ("refused", "accepted"),
}
