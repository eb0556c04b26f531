"""TikTok's written rules: what an init may say, and what a PUT may be.

Rule: pure functions of their arguments; no I/O, clock or state. Numbers and messages come from
https://developers.tiktok.com/doc/content-posting-api-media-transfer-guide and the reference pages
beside it; where those are silent, `Switches` decides.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeGuard
from urllib.parse import urlsplit

from transports.tiktok.sandbox.posts import Post
from transports.tiktok.sandbox.switches import Switches

PRIVACY_LEVELS = (
    "PUBLIC_TO_EVERYONE",
    "MUTUAL_FOLLOW_FRIENDS",
    "FOLLOWER_OF_CREATOR",
    "SELF_ONLY",
)
CONTENT_TYPES = ("video/mp4", "video/quicktime", "video/webm")
MAX_TITLE_UNITS = 2200  # "The maximum length is 2200 in UTF-16 runes."
MAX_CHUNKS = 1000
INT64_MAX = 2**63 - 1

TOGGLES = (
    "disable_duet",
    "disable_stitch",
    "disable_comment",
    "brand_content_toggle",
    "brand_organic_toggle",
    "is_aigc",
)
POST_FIELDS = frozenset({"privacy_level", "title", "video_cover_timestamp_ms", *TOGGLES})
SOURCE_FIELDS = frozenset({"source", "video_size", "chunk_size", "total_chunk_count", "video_url"})
DIRECT_FIELDS = {"post_info": POST_FIELDS, "source_info": SOURCE_FIELDS}
Owned = Callable[[str], bool]

COUNT_MESSAGE = "The total chunk count is invalid"
SIZE_MESSAGE = "The chunk size is invalid"

_STATUS_OF_CODE = {
    "invalid_param": 400,
    "invalid_params": 400,
    "invalid_publish_id": 400,
    "token_not_authorized_for_specified_publish_id": 400,
    "publish_not_cancellable": 400,
    "app_version_check_failed": 400,
    "scope_permission_missed": 400,
    "invalid_file_upload": 400,
    "access_token_invalid": 401,
    "scope_not_authorized": 401,
    "spam_risk_too_many_posts": 403,
    "spam_risk_too_many_pending_share": 403,
    "spam_risk_user_banned_from_posting": 403,
    "reached_active_user_cap": 403,
    "unaudited_client_can_only_post_to_private_accounts": 403,
    "url_ownership_unverified": 403,
    "privacy_level_option_mismatch": 403,
    "rate_limit_exceeded": 429,
    "internal_error": 500,
}
_CAPS = (
    "spam_risk_too_many_posts",
    "spam_risk_user_banned_from_posting",
    "reached_active_user_cap",
)


class ApiRefusal(Exception):
    """An answer of the API with an error code in its envelope."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class Limits(NamedTuple):
    """Bounds of a cut, in bytes."""

    min_chunk: int
    max_chunk: int
    max_last: int
    max_size: int


_LIMITS = {
    "decimal": Limits(5_000_000, 64_000_000, 128_000_000, 4_000_000_000),
    "binary": Limits(5 << 20, 64 << 20, 128 << 20, 4 << 30),
    "strict": Limits(5 << 20, 64_000_000, 128_000_000, 4_000_000_000),
}


@dataclass(frozen=True, slots=True)
class Source:
    """Where the bytes come from: a cut of a file, or addresses."""

    size: int
    chunk_size: int
    count: int
    urls: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Order:
    """A valid init. A draft has no privacy level: the creator chooses one in the app."""

    title: str
    privacy_level: str
    post_info: Mapping[str, object]
    source: Source
    media: str = "video"
    inbox: bool = False


def status_of(code: str, operation: str) -> int:
    """Return the HTTP status that goes with an error code; 400 for a code that is not listed."""
    if code == "ok" or (operation == "creator_info" and code in _CAPS):
        return 200
    return _STATUS_OF_CODE.get(code, 400)


def privacy_options(*, private: bool, audited: bool) -> tuple[str, ...]:
    """Return the levels that creator_info offers to an account."""
    if not audited:
        return ("SELF_ONLY",)
    first = "FOLLOWER_OF_CREATOR" if private else "PUBLIC_TO_EVERYONE"
    return (first, "MUTUAL_FOLLOW_FRIENDS", "SELF_ONLY")


# -- init ----------------------------------------------------------------------------------------


def read_order(
    body: Mapping[str, object], switches: Switches, *, private: bool, owned: Owned | None = None
) -> Order:
    """Return what a Direct Post init asks for, or raise `ApiRefusal`.

    `owned` tells of an address whether its prefix is verified; by default none is.
    """
    post_info = object_of(body, "post_info", switches)
    title = title_of(post_info, switches)
    check_toggles(post_info, switches)
    privacy = privacy_of(post_info, switches, private=private)
    return Order(title, privacy, dict(post_info), source_of(body, switches, owned))


def unknown_fields(
    body: Mapping[str, object], known: Mapping[str, frozenset[str]] = DIRECT_FIELDS
) -> list[str]:
    """Return the paths of fields that TikTok does not document, and so would silently ignore."""
    paths = [name for name in body if name not in known]
    for name, fields in known.items():
        inner = body.get(name)
        if isinstance(inner, Mapping):
            paths += [f"{name}.{key}" for key in inner if key not in fields]
    return paths


def cut_fault(size: int, chunk_size: int, count: int, switches: Switches) -> str | None:
    """Return the message for a cut that the size rules refuse, or None."""
    limits = _LIMITS[switches.megabyte]
    if size > limits.max_size:
        return f"The video size is invalid: {size} > {limits.max_size}"
    count_ok = count == size // chunk_size  # "total_chunk_count ... rounded down"
    if count == 1:
        size_ok = _one_chunk_ok(size, chunk_size, limits, strict=switches.one_chunk_rule)
    else:
        last = size - (count - 1) * chunk_size
        in_bounds = count > 1 and limits.min_chunk <= chunk_size <= limits.max_chunk
        size_ok = in_bounds and last <= limits.max_last and count <= MAX_CHUNKS
    if count_ok and size_ok:
        return None
    if count_ok or (not size_ok and switches.message_precedence == "size"):
        return SIZE_MESSAGE
    return COUNT_MESSAGE


def _one_chunk_ok(size: int, chunk_size: int, limits: Limits, *, strict: bool) -> bool:
    if chunk_size == size:
        return size <= limits.max_chunk
    if strict:
        return False
    # Before August 2026 the only chunk was also "the last", which carries the remainder.
    return limits.min_chunk <= chunk_size <= limits.max_chunk and size <= limits.max_last


def invalid(switches: Switches, message: str) -> ApiRefusal:
    """Return the refusal of a field."""
    return ApiRefusal(switches.invalid_param, message)


def object_of(body: Mapping[str, object], name: str, switches: Switches) -> Mapping[str, object]:
    """Return an object of the body, or raise `ApiRefusal`."""
    value = body.get(name)
    if not isinstance(value, dict):
        raise invalid(switches, f"{name} is required and must be an object")
    return value


def title_of(
    post_info: Mapping[str, object],
    switches: Switches,
    *,
    name: str = "title",
    most: int = MAX_TITLE_UNITS,
) -> str:
    """Return a text of the post, or raise `ApiRefusal`."""
    text = post_info.get(name, "")
    if not isinstance(text, str):
        raise invalid(switches, f"post_info.{name} must be a string")
    units = len(text.encode("utf-16-le", "surrogatepass")) // 2
    if units > most:
        raise invalid(switches, f"post_info.{name}: {units} UTF-16 units > {most}")
    return text


def check_toggles(post_info: Mapping[str, object], switches: Switches) -> None:
    """Raise `ApiRefusal` for a switch that is none."""
    for name in TOGGLES:
        if name in post_info and not isinstance(post_info[name], bool):
            raise invalid(switches, f"post_info.{name} must be a boolean")
    for name in ("brand_content_toggle", "brand_organic_toggle"):
        if switches.brand_toggles_required and name not in post_info:
            raise invalid(switches, f"post_info.{name} is required")
    # An invalid or absent time means "the first frame": only the type counts.
    if not is_int(post_info.get("video_cover_timestamp_ms", 0)):
        raise invalid(switches, "post_info.video_cover_timestamp_ms must be an integer")


def privacy_of(post_info: Mapping[str, object], switches: Switches, *, private: bool) -> str:
    """Return the privacy level, or raise `ApiRefusal`."""
    level = post_info.get("privacy_level")
    if level is None:
        raise ApiRefusal("privacy_level_option_mismatch", "post_info.privacy_level is required")
    if not isinstance(level, str) or level not in PRIVACY_LEVELS:
        raise invalid(switches, "post_info.privacy_level is not a privacy level")
    if not switches.audited and not private:
        raise ApiRefusal(
            "unaudited_client_can_only_post_to_private_accounts",
            "the account must be private until the client is audited",
        )
    options = privacy_options(private=private, audited=switches.audited)
    if level not in options:
        raise ApiRefusal(
            "privacy_level_option_mismatch", f"{level} is not among {', '.join(options)}"
        )
    branded = post_info.get("brand_content_toggle") is True
    if branded and level == "SELF_ONLY" and switches.branded_self_only == "refused":
        raise invalid(switches, "branded content cannot be SELF_ONLY")
    return level


def source_of(body: Mapping[str, object], switches: Switches, owned: Owned | None) -> Source:
    """Return where a video comes from, or raise `ApiRefusal`."""
    source_info = object_of(body, "source_info", switches)
    source = source_info.get("source")
    if source == "PULL_FROM_URL":
        url = check_url(source_info.get("video_url"), "source_info.video_url", switches, owned)
        return Source(switches.pull_bytes, 0, 0, (url,))
    if source != "FILE_UPLOAD":
        raise invalid(switches, "source_info.source must be FILE_UPLOAD or PULL_FROM_URL")
    numbers = []
    for name in ("video_size", "chunk_size", "total_chunk_count"):
        value = source_info.get(name)
        if not is_int(value) or not 0 < value <= INT64_MAX:
            raise invalid(switches, f"source_info.{name} must be a positive int64")
        numbers.append(value)
    size, chunk_size, count = numbers
    fault = cut_fault(size, chunk_size, count, switches)
    if fault is not None:
        raise invalid(switches, fault)
    return Source(size, chunk_size, count)


def check_url(url: object, name: str, switches: Switches, owned: Owned | None) -> str:
    """Return an address that TikTok would download from, or raise `ApiRefusal`."""
    try:
        parts = urlsplit(url) if isinstance(url, str) else None
    except ValueError:
        parts = None
    host = parts.hostname if parts is not None else None
    if not isinstance(url, str) or parts is None or parts.scheme != "https" or not host:
        raise invalid(switches, f"{name} must be an https URL")
    if ":" in host or host.replace(".", "").isdecimal():
        raise invalid(switches, f"{name} must name a host, not an IP address")
    if switches.url_ownership == "checked" and not (owned is not None and owned(url)):
        raise ApiRefusal("url_ownership_unverified", f"{name} is below no verified URL prefix")
    return url


def is_int(value: object) -> TypeGuard[int]:
    """Tell whether a value of JSON is an integer; true and false are none."""
    return isinstance(value, int) and not isinstance(value, bool)


# -- PUT -----------------------------------------------------------------------------------------

_CONTENT_RANGE = re.compile(r"bytes (\d{1,19})-(\d{1,19})/(\d{1,19})", re.ASCII)


class ByteRange(NamedTuple):
    """A Content-Range of a request; `last` is inclusive."""

    first: int
    last: int
    total: int

    @property
    def length(self) -> int:
        return self.last - self.first + 1


class Verdict(NamedTuple):
    """What to answer to a PUT before its body is read; 206 here means: stored already."""

    status: int
    why: str


def read_range(value: str | None) -> ByteRange | None:
    """Return the range of a `Content-Range: bytes FIRST-LAST/TOTAL`, or None if it is not one."""
    match = _CONTENT_RANGE.fullmatch(value or "")
    if match is None:
        return None
    found = ByteRange(*map(int, match.groups()))
    return found if found.first <= found.last < found.total else None


def judge_put(
    post: Post | None, headers: Mapping[str, str], now: float, switches: Switches
) -> Verdict | None:
    """Return why a PUT cannot be taken, in the order of TikTok's table, or None to take it."""
    if post is None:
        return Verdict(404, "no such upload task")
    if now >= post.expires:
        return Verdict(403, "the upload URL has expired")
    if post.complete or post.cancelled is not None:
        return Verdict(404, "the upload task is over")
    return _judge_headers(headers, switches) or _judge_range(post, headers, switches)


def _judge_headers(headers: Mapping[str, str], switches: Switches) -> Verdict | None:
    # "All three headers are required."
    if headers.get("Content-Type", "") not in CONTENT_TYPES:
        return Verdict(400, f"Content-Type is not one of {', '.join(CONTENT_TYPES)}")
    if "Transfer-Encoding" in headers or not headers.get("Content-Length", "").isdecimal():
        return Verdict(400, "Content-Length is required")
    if "Content-Encoding" in headers:
        return Verdict(400, "Content-Encoding is not supported")
    found = read_range(headers.get("Content-Range"))
    if found is None:
        return Verdict(400, "Content-Range is not bytes FIRST-LAST/TOTAL")
    length = int(headers["Content-Length"])
    if length != found.length:
        why = f"Content-Length {length} is not the {found.length} bytes of Content-Range"
        return Verdict(switches.oversize_status if length > found.length else 400, why)
    return None


def _judge_range(post: Post, headers: Mapping[str, str], switches: Switches) -> Verdict | None:
    found = read_range(headers.get("Content-Range"))
    assert found is not None  # _judge_headers has seen it
    if found.total != post.size:
        return Verdict(416, f"total {found.total} is not the video_size {post.size}")
    if post.holds(found.first, found.last):
        return Verdict(switches.stored_range_again, "this range is already stored")
    first, last = post.expected()
    if (found.first, found.last) != (first, last):
        return Verdict(416, f"range {found.first}-{found.last}, expected {first}-{last}")
    return None


def confirmed_range(post: Post, switches: Switches) -> str:
    """Return the Content-Range of a PUT's answer: `bytes 0-{UPLOADED_BYTES}/{TOTAL}`."""
    if switches.content_range_counts:
        return f"bytes 0-{post.received}/{post.size}"
    # The last-index reading cannot say "nothing" in this shape; RFC 9110 has `*` for that.
    return f"bytes 0-{post.received - 1}/{post.size}" if post.received else f"bytes */{post.size}"
