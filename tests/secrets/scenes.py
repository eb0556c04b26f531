"""Runs that fail, each in its own way; the frames here hold no secret."""

import shutil
import socket
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.secrets.evidence import Evidence
from transports.tiktok import DirectPost, TikTokPublishService
from transports.tiktok.protocol import TikTokTransport
from transports.tiktok.sandbox import Fault, Sandbox
from uploader import (
    ConfigurationError,
    PollPolicy,
    RateLimitedError,
    RetryPolicy,
    Secret,
    Timeouts,
    Uploader,
    UploaderError,
)
from uploader.http import Body
from uploader.model import Part, Plan, Receipt, Session
from uploader.transport import Flow

PARTS: dict[str, Any] = {"chunk_size": 5_242_880}


@dataclass
class Stage:
    """What a run needs: a sandbox, a film, and somebody who collects."""

    sandbox: Sandbox
    uploader: Uploader
    film: Path
    small: Path
    evidence: Evidence
    token: Secret
    held: list[Any] = field(default_factory=list)

    def post(self, **fields: Any) -> DirectPost:
        """Build a destination; nothing can fail in here but the destination itself."""
        given: dict[str, Any] = {
            "privacy_level": "SELF_ONLY",
            "account": "acme",
            "access_token": self.token,
            "base_url": self.sandbox.base_url,
        }
        destination = DirectPost(**{**given, **fields})
        self.keep(destination)
        return destination

    def keep(self, thing: Any) -> Any:
        """Remember something that a caller would hold."""
        self.held.append(thing)
        return thing

    def upload(self, film: Path | None = None, **fields: Any) -> None:
        """Upload, and keep all that comes of it."""
        destination = self.post(**fields)
        self.keep(destination.transport())
        handle = self.keep(self.uploader.submit(film or self.small, destination))
        self.keep(handle.result(20))

    def service(self, **settings: Any) -> TikTokPublishService:
        """Return a drop-in that works with this sandbox."""
        given: dict[str, Any] = {"base_url": self.sandbox.base_url, "uploader": self.uploader}
        service = TikTokPublishService(self.token, **{**given, **settings})
        self.keep(service)
        return service

    def failing(self, act: Callable[[], object]) -> None:
        """Do what must raise, and take the exception as a crash reporter would."""
        try:
            act()
        except UploaderError as error:
            caught = error
        else:
            raise AssertionError("nothing was raised")
        self.evidence.take_error(caught)


Scene = Callable[[Stage], None]


def faulty(*faults: Fault, long: bool = False, **fields: Any) -> Scene:
    """Return an upload that meets these faults."""

    def run(stage: Stage) -> None:
        stage.sandbox.script(*faults)
        stage.upload(stage.film if long else stage.small, **fields, **(PARTS if long else {}))

    return run


def scripted_init(body: str) -> Scene:
    """Return an upload whose init is answered with this; `URL` stands for an upload URL."""

    def run(stage: Stage) -> None:
        text = body.replace("URL", url_of_another_post(stage).reveal())
        stage.sandbox.script(Fault("init", status=200, body=text))
        stage.upload()

    return run


def url_of_another_post(stage: Stage) -> Secret:
    """Open a post, for its upload URL."""
    post = stage.post()
    transport = post.transport()
    spec = stage.uploader.check(stage.small, post)
    session: Session = stage.uploader.call(
        post, "create", lambda: transport.create(spec), repeatable=False
    )
    stage.keep(session)
    return session.secrets["upload_url"]


def echoed_token(stage: Stage) -> None:
    """The API repeats the token in its message."""
    body = f'{{"error":{{"code":"access_token_invalid","message":"bad {stage.token.reveal()}"}}}}'
    stage.sandbox.script(Fault("init", status=401, body=body))
    stage.upload()


def credentials_that(fail: Callable[[str], object]) -> Scene:
    """Return an upload whose credentials fail with the token in the text."""

    def run(stage: Stage) -> None:
        def credentials(transport: str, account: str | None) -> str:
            return str(fail(stage.token.reveal()))

        stage.failing(lambda: _raised(stage, credentials))

    return run


def _raised(stage: Stage, credentials: Any) -> None:
    destination = stage.post(access_token=None, credentials=credentials)
    stage.keep(stage.uploader.upload(stage.small, destination)).raise_for_outcome()


def fail_plainly(token: str) -> object:
    """Fail as a store of tokens does."""
    raise RuntimeError(f"cannot refresh {token}")


def fail_as_configured(token: str) -> object:
    """Blame the caller, out of the handler of an error that names the token."""
    try:
        return fail_plainly(token)
    except RuntimeError as error:
        raise ConfigurationError("the account is not connected") from error


def fail_as_limited(token: str) -> object:
    """Fail as a token endpoint does that wants to be asked later."""
    try:
        return fail_plainly(token)
    except RuntimeError:
        raise RateLimitedError("the token endpoint is busy", retry_after=400.0)  # noqa: B904


def a_token_that_is_no_header(stage: Stage) -> None:
    """A line break in it: the HTTP library refuses, and would print it."""
    stage.failing(lambda: _raised(stage, lambda *_: f"{stage.token.reveal()}\r\nX: y"))


def a_token_of_other_letters(stage: Stage) -> None:
    """Not encodable as a header."""
    stage.failing(lambda: _raised(stage, lambda *_: f"{stage.token.reveal()}\ud800"))


def cancelled(operation: str, **effect: Any) -> Scene:
    """Return an upload that is cancelled while a request hangs."""

    def run(stage: Stage) -> None:
        stage.sandbox.script(Fault(operation, **effect))  # type: ignore[arg-type]
        handle = stage.keep(stage.uploader.submit(stage.film, stage.post(**PARTS)))
        stage.sandbox.wait_for(
            lambda: [r for r in stage.sandbox.requests if r.operation == operation]
        )
        handle.cancel()
        stage.keep(handle.result(20))

    return run


def closed(stage: Stage) -> None:
    """The uploader is closed while a body stalls."""
    stage.sandbox.script(Fault("put", stall_after=1000))
    handle = stage.keep(stage.uploader.submit(stage.film, stage.post(**PARTS)))
    stage.sandbox.wait_for(lambda: stage.sandbox.uploads[0].chunks[0].received)
    stage.uploader.close()
    stage.keep(handle.result(20))


def truncated(stage: Stage) -> None:
    """The file shrinks while it is sent."""
    film = stage.small.with_name("shrinks.mp4")
    shutil.copyfile(stage.film, film)
    with film.open("r+b") as file:

        def shrink() -> None:
            stage.sandbox.script(Fault("put", stall_after=1000))
            handle = stage.uploader.submit(film, stage.post(**PARTS))
            stage.sandbox.wait_for(lambda: stage.sandbox.uploads[0].chunks[0].received)
            file.truncate(1000)
            handle.result(20).raise_for_outcome()

        stage.failing(shrink)


def refused_connection(stage: Stage) -> None:
    """Nobody listens."""
    with closing(socket.socket()) as deaf:
        deaf.bind(("127.0.0.1", 0))
        stage.upload(base_url=f"http://127.0.0.1:{deaf.getsockname()[1]}")


def bad_fields(**fields: Any) -> Scene:
    """Return the construction of a destination that is refused."""

    def run(stage: Stage) -> None:
        # As users do it: the token is a plain string in the caller's frame, and only there.
        stage.failing(lambda: DirectPost(**_with_token(stage, fields)))

    return run


def _with_token(stage: Stage, fields: dict[str, Any]) -> dict[str, Any]:
    given = {"privacy_level": "SELF_ONLY", "access_token": stage.token.reveal()}
    return {**given, **fields}


def bad_service(stage: Stage) -> None:
    """The drop-in is refused at construction."""
    stage.failing(lambda: TikTokPublishService(stage.token.reveal(), base_url="http://example.com"))


class FaultyTransport(TikTokTransport):
    """A third party's transport that fails with a secret in its text."""

    def put_part(self, session: Session, plan: Plan, part: Part, body: Body) -> Flow[Receipt]:
        yield from ()
        raise KeyError(session.secrets["upload_url"].reveal())


class FaultyPost(DirectPost):
    """Its destination."""

    def transport(self) -> TikTokTransport:
        return FaultyTransport(self.post_info(), self.base_url, self.limits.capabilities())


def faulty_transport(stage: Stage) -> None:
    """What a transport raises by mistake is not printed."""
    post = FaultyPost(
        privacy_level="SELF_ONLY", access_token=stage.token, base_url=stage.sandbox.base_url
    )
    stage.keep(stage.uploader.upload(stage.small, stage.keep(post)))


# -- the drop-in ---------------------------------------------------------------------------------


def service_init(*faults: Fault) -> Scene:
    """Return a failing `initiate_video_post`."""

    def run(stage: Stage) -> None:
        stage.sandbox.script(*faults)
        service = stage.service()
        stage.failing(lambda: service.initiate_video_post(stage.small, "hello"))

    return run


def service_chunks(*faults: Fault, count: int = 3) -> Scene:
    """Return a failing `upload_video_chunks`."""

    def run(stage: Stage) -> None:
        service = stage.service()
        opened = stage.keep(service.initiate_video_post(stage.film))
        size, url = opened["chunk_size"], opened["upload_url"]
        stage.sandbox.script(*faults)
        part = 5_242_921 if count == 3 else size
        stage.failing(lambda: service.upload_video_chunks(url, stage.film, part, count))

    return run


def service_foreign_url(stage: Stage) -> None:
    """An upload URL that leads elsewhere, as a plain string."""
    service = stage.service()
    url = stage.keep(service.initiate_video_post(stage.small))["upload_url"]
    stage.failing(
        lambda: service.upload_video_chunks(
            "https://example.com/?" + str.__str__(url), stage.small, 100_000, 1
        )
    )


def service_status(stage: Stage) -> None:
    """A publish_id that nobody knows."""
    service = stage.service()
    stage.failing(lambda: service.check_publish_status("v_pub_file~v2-1.1"))


def service_publish(*faults: Fault) -> Scene:
    """Return a `publish_video` that does not succeed."""

    def run(stage: Stage) -> None:
        stage.sandbox.script(*faults)
        stage.keep(stage.service().publish_video(stage.small, poll_interval=0, max_poll_attempts=1))

    return run


NO_URL = '{"data":{"upload_url":"URL"},"error":{"code":"ok"}}'

SCENES: dict[str, Scene] = {
    "nothing fails": faulty(),
    "401": faulty(Fault("init", status=401)),
    "token echoed": echoed_token,
    "500": faulty(Fault("init", status=500)),
    "answer lost": faulty(Fault("init", lose_answer=True)),
    "redirected": faulty(Fault("init", redirect=True)),
    "PUT redirected": faulty(Fault("put", redirect=True)),
    "reset in mid-body": faulty(Fault("put", reset_after=1 << 20, times=3), long=True),
    "malformed": faulty(Fault("init", malformed=True)),
    "of another shape": faulty(Fault("init", malformed="shape")),
    "no publish_id": scripted_init(NO_URL),
    "URL of another type": scripted_init(NO_URL.replace('"URL"', '["URL"]')),
    "URL under another name": scripted_init(NO_URL.replace("upload_url", "url")),
    "URL in the message": scripted_init('{"error":{"code":"x","message":"no"},"data":{"u":"URL"}}'),
    "URL of a foreign host": scripted_init(
        '{"data":{"publish_id":"p","upload_url":"https://example.com/?URL"},"error":{"code":"ok"}}'
    ),
    "URL with a bad port": scripted_init(
        '{"data":{"publish_id":"p","upload_url":"https://h:URL/"},"error":{"code":"ok"}}'
    ),
    "PUT refused": faulty(Fault("put", status=400)),
    "expired": faulty(Fault("put", expire=True)),
    "early 201": faulty(Fault("put", early_status=201, early_after=1000, nth=3), long=True),
    "PUT answered 500": faulty(Fault("put", status=500, times=3)),
    "PUT not answered": faulty(Fault("put", stall_answer=True), Fault("status", status=401)),
    "status lost": faulty(Fault("status", lose_answer=True, times=9)),
    "cancelled in init": cancelled("init", stall_answer=True),
    "cancelled in a body": cancelled("put", stall_after=1000),
    "cancelled in a status": cancelled("status", stall_answer=True),
    "closed in a body": closed,
    "file truncated": truncated,
    "nobody listens": refused_connection,
    "credentials fail": credentials_that(fail_plainly),
    "credentials blame": credentials_that(fail_as_configured),
    "credentials are limited": credentials_that(fail_as_limited),
    "token with a line break": a_token_that_is_no_header,
    "token of other letters": a_token_of_other_letters,
    "faulty transport": faulty_transport,
    "base URL in clear": bad_fields(base_url="http://example.com"),
    "base URL malformed": bad_fields(base_url="https://[::1"),
    "base URL without a host": bad_fields(base_url="https://"),
    "no such privacy level": bad_fields(privacy_level="nobody"),
    "title too long": bad_fields(title="x" * 2201),
    "chunk size too small": bad_fields(chunk_size=1),
    "drop-in malformed": bad_service,
    "drop-in init 401": service_init(Fault("init", status=401)),
    "drop-in init lost": service_init(Fault("init", lose_answer=True)),
    "drop-in chunks refused": service_chunks(Fault("put", status=400)),
    "drop-in chunks reset": service_chunks(Fault("put", reset_after=1000, times=3)),
    "drop-in wrong count": service_chunks(count=7),
    "drop-in foreign URL": service_foreign_url,
    "drop-in unknown status": service_status,
    "drop-in publish 403": service_publish(Fault("init", vendor_code="spam_risk_too_many_posts")),
    "drop-in publish lost": service_publish(Fault("put", lose_answer=True)),
}
HASTY = Timeouts(connect=5.0, stall=0.3, response=0.5)
AT_ONCE = RetryPolicy(base=0.001, cap=0.002)
TWICE = PollPolicy(first=0.001, attempts=2)
