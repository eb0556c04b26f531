"""Which reading of TikTok's doubtful rules its server follows: asked by inits, and by no byte.

Rule: pure. What our limits rest on must be answered as they assume, or it is a FAIL with both
figures; where two readings are possible we stay inside both, and the finding says which one holds.
Every init is SELF_ONLY, and what it opens expires without having become a post.
https://developers.tiktok.com/doc/content-posting-api-media-transfer-guide
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from transports.tiktok import operations
from transports.tiktok.catalogue import meaning
from transports.tiktok.destination import PrivacyLevel, TikTokAccount
from transports.tiktok.errors import envelope
from transports.tiktok.hosts import check_upload_url
from transports.tiktok.limits import TikTokLimits
from transports.tiktok.paths import Endpoint
from uploader.errors import ProtocolError, TransportError
from uploader.secret import Secret
from uploader.transport import Examination, Finding, Flow, Level, Probe

TITLE: Final = "uploader doctor"
GUIDE: Final = "compare TikTok's media transfer guide, and set TikTokLimits to what it says now"
_INVALID: Final = frozenset({"invalid_params", "invalid_param"})
_CAPS: Final = ("spam_risk", "reached_")
"""How the codes begin that stop an account, whatever the cut."""
MB: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Answer:
    """What an init came to. `log_name` is how the answer spells the field of its log id."""

    code: str
    message: str
    publish_id: str = ""
    upload_url: Secret | None = None
    log_name: str = ""

    @property
    def accepted(self) -> bool:
        return self.code == "ok"

    @property
    def word(self) -> str:
        return "accepted" if self.accepted else f"refused ({self.code}: {self.message})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One init: a cut, and what our limits assume that becomes of it; `None` where either may be.

    `lacks` are fields of the post that are left out, `post` others that are put in.
    """

    check: str
    size: int
    chunk: int
    count: int
    assumed: bool | None
    means: tuple[str, str] = ("", "")
    """What it says of the server when it is accepted, and when it is refused."""
    lacks: tuple[str, ...] = ()
    post: tuple[tuple[str, Any], ...] = ()

    @property
    def cut(self) -> str:
        return f"{self.size:,} bytes as {self.count} x {self.chunk:,}"


def trials(limits: TikTokLimits) -> tuple[Trial, ...]:
    """Return the inits in order; the first one must be accepted for the others to tell anything."""
    single, least, most = limits.max_single, limits.min_chunk, limits.max_chunk
    last, video = limits.max_last_chunk, limits.max_video
    too_small = least - MB
    return (
        Trial(check="single chunk", size=single, chunk=single, count=1, assumed=True),
        Trial(check="repeated init", size=single, chunk=single, count=1, assumed=None),
        Trial(check="smallest chunk", size=2 * least, chunk=least, count=2, assumed=True),
        Trial(check="last chunk", size=most + last - 1, chunk=most, count=2, assumed=True),
        Trial(check="largest video", size=video, chunk=most, count=video // most, assumed=True),
        Trial(check="rounded up", size=25 * MB, chunk=10 * MB, count=3, assumed=False),
        Trial(check="too small", size=2 * too_small, chunk=too_small, count=2, assumed=False),
        Trial(check="too large", size=130 * MB, chunk=130 * MB, count=1, assumed=False),
        Trial(
            check="larger video",
            size=video * 11 // 10,
            chunk=most,
            count=video * 11 // 10 // most,
            assumed=False,
        ),
        Trial(
            check="64 MB",
            size=66 * MB,
            chunk=66 * MB,
            count=1,
            assumed=None,
            means=("64 MB are 67,108,864 bytes", "64 MB are 64,000,000 bytes"),
        ),
        Trial(
            check="5 MB",
            size=10 * MB,
            chunk=5 * MB,
            count=2,
            assumed=None,
            means=("5 MB are 5,000,000 bytes", "5 MB are 5,242,880 bytes"),
        ),
        Trial(
            check="one chunk",
            size=70 * MB,
            chunk=64 * MB,
            count=1,
            assumed=None,
            means=("one chunk may be declared smaller than its video",
                   "one chunk must be declared as large as its video"),
        ),
        Trial(
            check="precedence",
            size=25 * MB,
            chunk=4 * MB,
            count=7,
            assumed=False,
        ),
        Trial(
            check="branded",
            size=10 * MB,
            chunk=10 * MB,
            count=1,
            assumed=None,
            means=("branded content may be SELF_ONLY", "branded content cannot be SELF_ONLY"),
            post=(("brand_content_toggle", True),),
        ),
        Trial(
            check="toggles",
            size=11 * MB,
            chunk=11 * MB,
            count=1,
            assumed=None,
            means=("the brand toggles may be left out", "the brand toggles are required"),
            lacks=("brand_content_toggle", "brand_organic_toggle"),
        ),
    )  # fmt: skip


def probe(examination: Examination, account: TikTokAccount) -> Probe:
    """Return the probe of a test account."""
    wanted = trials(account.limits)
    return Probe(
        inits=len(wanted),
        says=(
            f"{len(wanted)} inits of SELF_ONLY videos are sent, over about"
            f" {len(wanted) // 6} minutes; no byte follows, none becomes a post, and what they open"
            " is cancelled or expires within the hour"
        ),
        run=lambda: _Probing(examination, account).findings(wanted),
    )


class _Probing:
    """One run over all trials."""

    def __init__(self, examination: Examination, account: TikTokAccount) -> None:
        self._examination = examination
        self._account = account
        self._opened: dict[str, Answer] = {}

    def findings(self, wanted: tuple[Trial, ...]) -> Iterator[Finding]:
        for trial in wanted:
            try:
                answer = self._init(trial)
            except TransportError as error:
                advice = " ".join(error.hints)
                yield Finding(
                    check=trial.check, level=Level.FAIL, says=error.message, advice=advice
                )
                break
            first = not self._opened and answer.code not in _INVALID
            if not answer.accepted and (first or answer.code.startswith(_CAPS)):
                yield _cannot(trial, answer)
                break
            yield self._judged(trial, answer)
            if answer.accepted and answer.publish_id not in self._opened:
                self._opened[answer.publish_id] = answer
                if len(self._opened) == 1:
                    yield from _of_address(answer, self._account)
                    yield from self._of_status(answer)
        yield from self._cancelled()

    def _init(self, trial: Trial) -> Answer:
        base_url = self._account.base_url
        answer: Answer = self._call("init", lambda: ask(base_url, post_of(trial), source_of(trial)))
        return answer

    def _judged(self, trial: Trial, answer: Answer) -> Finding:
        facts: dict[str, Any] = {
            "size": trial.size,
            "chunk_size": trial.chunk,
            "count": trial.count,
            "accepted": answer.accepted,
            "assumed": trial.assumed,
            "code": answer.code,
            "message": answer.message,
        }
        if trial.check == "repeated init":
            return _of_twin(answer, self._opened, facts)
        if trial.assumed is None:
            says = trial.means[not answer.accepted]
            facts["reading"] = says
            return Finding(
                check=trial.check,
                level=Level.OK,
                says=f"{says}: {trial.cut} was {answer.word}",
                facts=facts,
            )
        if answer.accepted is trial.assumed and (answer.accepted or answer.code in _INVALID):
            says = f"{trial.cut} was {answer.word}, as our limits assume"
            if trial.check == "precedence":
                first = "count" if "count" in answer.message else "size"
                facts["reading"] = f"{first}, {answer.code}"
                says = f"a wrong count and size are answered by {answer.code}, about the {first}"
            return Finding(check=trial.check, level=Level.OK, says=says, facts=facts)
        wanted = "accepted" if trial.assumed else "refused as invalid"
        return Finding(
            check=trial.check,
            level=Level.FAIL,
            says=f"{trial.cut} was {answer.word}; our limits assume that it is {wanted}",
            advice=GUIDE,
            facts=facts,
        )

    def _of_status(self, answer: Answer) -> Iterator[Finding]:
        base_url = self._account.base_url
        try:
            status = self._call(
                "status", lambda: operations.post_status(base_url, answer.publish_id)
            )
        except TransportError as error:
            yield Finding(check="status", level=Level.FAIL, says=error.message)
            return
        shown = status.uploaded_bytes is not None
        yield Finding(
            check="status",
            level=Level.OK if shown else Level.WARN,
            says=(
                f"{status.status}, {status.uploaded_bytes:,} bytes stored"
                if status.uploaded_bytes is not None
                else f"{status.status}, and nothing is told of stored bytes"
            ),
            advice="" if shown else "interrupted uploads cannot be resumed: they end as unknown",
            facts={"status": status.status, "uploaded_bytes": status.uploaded_bytes},
        )

    def _cancelled(self) -> Iterator[Finding]:
        """Cancel what was opened, as far as TikTok lets that be done."""
        base_url, done, refused = self._account.base_url, 0, ""
        for publish_id in self._opened:
            try:
                self._call("cancel", lambda which=publish_id: operations.cancel(base_url, which))  # type: ignore[misc]
            except TransportError as error:
                refused = error.vendor_code or error.code
            else:
                done += 1
        if self._opened:
            yield Finding(
                check="cancel",
                level=Level.OK,
                says=(
                    f"{done} of {len(self._opened)} opened uploads were cancelled"
                    + (f", the others {refused}: they expire within the hour" if refused else "")
                ),
                facts={"opened": len(self._opened), "cancelled": done, "code": refused},
            )

    def _call(self, operation: str, make: Callable[[], Flow[Any]]) -> Any:
        return self._examination.call(self._account, operation, make)


def ask(base_url: str, post: Mapping[str, Any], source: Mapping[str, Any]) -> Flow[Answer]:
    """Send an init and return what it came to; raise only what tells nothing of the rules."""
    content = {"post_info": post, "source_info": source}
    response = yield operations.request(base_url, "init", Endpoint.VIDEO_INIT, content, fresh=True)
    if response.status in (401, 429) or response.status >= 500:
        envelope("init", response)
    try:
        answer = json.loads(response.content)
        error, data = answer["error"], answer.get("data") or {}
        url = Secret(str(data.pop("upload_url", None) or ""))
        return Answer(
            code=str(error["code"]),
            message=str(error.get("message") or "")[:200],
            publish_id=str(data.get("publish_id") or ""),
            upload_url=url or None,
            log_name=next((name for name in ("log_id", "logid") if name in error), "none"),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        pass
    envelope("init", response)  # no envelope at all: it says so
    return Answer("malformed", "")


def post_of(trial: Trial) -> dict[str, Any]:
    """Return the post's fields: private, and told apart from other probes by nothing."""
    post: dict[str, Any] = {
        "privacy_level": str(PrivacyLevel.SELF_ONLY),
        "title": TITLE,
        "disable_comment": True,
        "disable_duet": True,
        "disable_stitch": True,
        "brand_content_toggle": False,
        "brand_organic_toggle": False,
        **dict(trial.post),
    }
    return {name: value for name, value in post.items() if name not in trial.lacks}


def source_of(trial: Trial) -> dict[str, Any]:
    """Return the cut as an init says it."""
    return {
        "source": "FILE_UPLOAD",
        "video_size": trial.size,
        "chunk_size": trial.chunk,
        "total_chunk_count": trial.count,
    }


def _cannot(trial: Trial, answer: Answer) -> Finding:
    known = meaning(answer.code)
    return Finding(
        check=trial.check,
        level=Level.FAIL,
        says=f"nothing more can be probed: an init was {answer.word}",
        advice=known.advice if known is not None else "",
        facts={"code": answer.code, "accepted": False},
    )


def _of_twin(answer: Answer, opened: Mapping[str, Answer], facts: dict[str, Any]) -> Finding:
    if not answer.accepted:
        says = f"the same init again was {answer.word}"
    elif answer.publish_id in opened:
        says = "the same init again gives the same task"
    else:
        says = "the same init again opens a second task: it must never be repeated"
    return Finding(
        check="repeated init", level=Level.OK, says=says, facts={**facts, "reading": says}
    )


def _of_address(answer: Answer, account: TikTokAccount) -> Iterator[Finding]:
    """Tell the upload URL's host, path and length, and nothing else of it."""
    yield Finding(
        check="log id",
        level=Level.OK if answer.log_name != "none" else Level.WARN,
        says=f"answers carry their log id as {answer.log_name}",
        facts={"reading": answer.log_name},
    )
    if answer.upload_url is None:
        yield Finding(check="upload URL", level=Level.FAIL, says="the answer has no upload_url")
        return
    url = answer.upload_url.reveal()
    parts = urlsplit(url)
    facts = {"host": parts.hostname or "", "path": parts.path, "length": len(url)}
    try:
        check_upload_url(answer.upload_url, account.base_url)
    except ProtocolError as error:
        yield Finding(
            check="upload URL",
            level=Level.FAIL,
            says=error.message,
            advice="every upload of this account would be refused: report it",
            facts=facts,
        )
        return
    yield Finding(
        check="upload URL",
        level=Level.OK,
        says=f"{facts['host']}, path {facts['path']}, {len(url):,} characters",
        facts=facts,
    )
