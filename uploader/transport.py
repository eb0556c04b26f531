"""The contract between the engine and a destination.

A transport is a pure HTTP protocol: it declares its limits as data and describes each operation as
a generator that yields `Request`s, is sent `Response`s and returns a value. The engine owns the
I/O, the retries, the credentials and the clock.

Obligations:

- A flow is a pure function of its arguments and the responses. It may read `len(body)` and
  `body.digests`, never a byte. It holds no state between two flows: all that the next one needs is
  in the `Session` and the receipts.
- A flow raises only subclasses of `TransportError`. It classifies; only the engine retries. What
  would meet every account alike is `general`: several of them pause the destination.
- `create` is sent at most once per upload unless its failure proves that the server did nothing
  (`TransportError.ambiguous` is false), nothing counts before `complete` (`Moment.COMPLETE`), or
  the destination `reopens`; two sessions can become two public posts.
- The same holds for whatever `irreversible` names. What the server may have done is learnt by
  `query` (`Moment.LAST_PART`) or `verify` (`Moment.COMPLETE`), never tried again blindly.
- Where parts go in any order, sending one again replaces it.
- A part is stored whole or not at all, unless `accepts_partial` says that a prefix of it counts.
  A server that holds less than was sent is an `OffsetMismatchError`, with the `offset` it told of.
- URLs and tokens that open an upload are `Secret`s: never in a repr, a log, an exception text.
- A session is JSON-able fields plus named secrets. With the plan it is all that another process
  needs to go on.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import Any, Protocol, TypeAlias, TypeVar

from uploader.errors import Recovery, TransportError
from uploader.http import Body, Request, Response
from uploader.limits import Rate
from uploader.model import (
    Completion,
    Part,
    Plan,
    Receipt,
    Session,
    SourceFacts,
    UploadSpec,
)
from uploader.secret import Secret
from uploader.tokens import AccountTokens

T = TypeVar("T")
Flow: TypeAlias = Generator[Request, Response, T]


class Order(Enum):
    """The order in which a destination takes parts."""

    SEQUENTIAL = "sequential"
    ANY = "any"


class TailRule(Enum):
    """What becomes of the bytes that do not fill a part."""

    SHORT = "short"
    """They are a smaller last part."""
    MERGED = "merged"
    """They join the last part, which is then longer than the others."""


class Moment(Enum):
    """The request after which the upload can no longer be taken back."""

    CREATE = "create"
    LAST_PART = "last_part"
    COMPLETE = "complete"


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """A destination's limits, as data. Sizes are in bytes, times in seconds.

    `part_size` is the size wanted, within `min_part` and `max_part`; it grows where `max_parts`
    would be passed. Each part but the last is a multiple of `alignment`. A file of at most
    `max_single` bytes goes as one part. `max_last_part` bounds the last part where the tail is
    merged. `session_lifetime` counts from the moment before `create` was sent. Of parts in any
    order at most `max_lanes` are on their way at once. `digests` names what `body.digests` must
    hold of each part before it goes out: "crc32c", "md5", "sha1", "sha256"; each costs a pass
    over the content. `unknown_size` takes a stream whose end nobody knows yet: `create` and
    `put_part` are told of the bytes that came so far, and parts may grow from one to the next. It
    wants parts in any order, short tails, and nothing that counts before `complete`. `reopens` says
    that nothing comes of a session whose opening was not answered, so that `create` may be sent
    again. `rates` are how often an account may ask; a request whose operation none of them names is
    not counted.
    """

    order: Order
    tail: TailRule
    irreversible: Moment
    part_size: int
    min_part: int
    max_part: int
    max_parts: int
    max_size: int
    max_single: int
    max_last_part: int
    session_lifetime: float | None = None
    alignment: int = 1
    max_lanes: int = 1
    accepts_partial: bool = False
    digests: frozenset[str] = frozenset()
    unknown_size: bool = False
    reopens: bool = False
    rates: tuple[Rate, ...] = ()

    @property
    def opens_again(self) -> bool:
        """Whether `create` may be sent again when its answer was lost."""
        return self.reopens or self.irreversible is Moment.COMPLETE


class Transport(Protocol):
    """One destination's protocol: stateless, no I/O, built anew for each upload.

    Optional members: implement one and it is used.

    - `query(session) -> Flow[Confirmed]`: what does the server hold? Without it an ambiguous
      failure of a part is answered by sending the part again.
    - `poll(session) -> Flow[Processing]`: the server still works after the last byte.
    - `verify(session, receipts) -> Flow[Completion | None]`: was it completed? `None` says that it
      surely was not, so that `complete` may be sent. Asked when an answer to `complete` was lost.
    - `abort(session) -> Flow[None]`: drop what the server holds. Called once when the upload was
      cancelled or refused before its irreversible request; whether it succeeds changes nothing.
    - `reference: str | None`: the session's field by which the server's notices tell of the upload.
      A journal finds it by that (`Journal.referred`).
    - `put(spec, body) -> Flow[Completion]`: the whole content in one request, without a session,
      for a plan of one part. Sending it twice must leave one object.
    """

    @property
    def name(self) -> str:
        """The transport's name: the metrics label and the entry point's name."""
        ...

    @property
    def capabilities(self) -> Capabilities: ...

    def content_type(self, facts: SourceFacts) -> str:
        """Return the media type of the source, or raise `ConfigurationError` when not taken."""
        ...

    def create(self, spec: UploadSpec) -> Flow[Session]: ...

    def put_part(self, session: Session, plan: Plan, part: Part, body: Body) -> Flow[Receipt]: ...

    def complete(self, session: Session, receipts: Mapping[int, Receipt]) -> Flow[Completion]:
        """Finish the upload; `receipts` holds one for each part where this is irreversible."""
        ...


class Credential(Protocol):
    """What signs a request. Called on a worker thread, for each attempt anew."""

    def sign(self, request: Request) -> Mapping[str, str | Secret]:
        """Return the headers to add.

        A credential may have a method `learn(response)`, called with each answer to what it signed
        that was refused (401, 403): a server's `Date` tells how far the clocks are apart.
        """
        ...


CredentialSource: TypeAlias = Callable[[str, str | None], "Credential | Secret | str"]
"""`credentials(transport, account)`: return the credential that is valid now. May block."""


class Destination(Protocol):
    """Where an upload goes: the frozen object that a user constructs.

    `access_token` is a token or `None`, `credentials` a callable or `None`; an uploader's own
    `credentials` serve when both are `None`.

    Optional: `accountless = True` where the public fields name the place (a bucket and a key, an
    upload server), so that neither an account nor a token has to be given. `manifest() -> bytes`
    where nothing of the caller's is sent: the content by which a journal knows the upload, whose
    source is `None`. It must be the same when the destination was built again from `fields`; where
    these are too little to send it by, its transport's `content_type` refuses it.
    """

    @property
    def account(self) -> str | None: ...

    @property
    def access_token(self) -> Secret | str | None: ...

    @property
    def credentials(self) -> CredentialSource | None: ...

    @property
    def origin(self) -> str:
        """Scheme and host of the service; two of them are two places, whatever the fields say."""
        ...

    def transport(self) -> Transport:
        """Return the protocol object for one upload to this destination."""
        ...

    def fields(self) -> Mapping[str, Any]:
        """Return the JSON-able public fields that the factory can build it from again.

        No credential is among them.
        """
        ...

    def identity_fields(self) -> Mapping[str, Any]:
        """Return the JSON-able fields that make it another upload when they differ.

        A title does, a part size does not.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class DestinationOption:
    """One setting of a destination that a command line can offer."""

    name: str
    help: str
    required: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeMeaning:
    """What a destination's own word for a failure means, and what to do about it.

    `says` and `advice` are clauses for people who publish, not for programmers. `kind` is the error
    that it becomes, `recovery` what the engine does by itself; `remedy` is one word for who can
    help: see the destination. With `general` it would meet every account alike. `where` names the
    operations that answer it, `statuses` the HTTP statuses it comes with, `spellings` its other
    names.
    """

    code: str
    kind: type[TransportError]
    recovery: Recovery
    remedy: str
    says: str
    advice: str
    where: tuple[str, ...] = ()
    statuses: tuple[int, ...] = ()
    general: bool = False
    spellings: tuple[str, ...] = ()

    @property
    def hint(self) -> str:
        return f"{self.says}: {self.advice}"


class Preflight(Protocol):
    """What tells of one upload, before anything is sent, whether its destination would take it.

    It refuses what is known to be refused and nothing else: a check that is stricter than the
    destination loses uploads.
    """

    @property
    def key(self) -> Hashable | None:
        """What the answer to `ask` is about; `None` where nothing needs to be asked."""
        ...

    @property
    def life(self) -> float:
        """Seconds for which an answer is believed of all that have the same `key`."""
        ...

    def ask(self) -> Flow[Any]:
        """Ask. A refusal that is a reason against the upload is returned, as an exception."""
        ...

    def judge(self, answer: Any, source: Any) -> Any:
        """Read the source where there is one, and return what was checked. May block.

        Raises `PreflightError` with every reason at once. `remarks`, where the value has them, are
        sentences for the log.
        """
        ...


class Level(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARN = "warn"
    """It works, or may work, and somebody should know."""
    FAIL = "fail"
    """Uploads fail until somebody acts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one check found: a sentence with its numbers, and what to do next where that is known.

    `facts` are the same numbers, JSON-able, for scripts. No secret is in any of them.
    """

    check: str
    level: Level
    says: str
    advice: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


class Examination(Protocol):
    """What `uploader doctor` lends a transport's checks: whose account, and a way to ask.

    `fields` are named options such as a base URL. A destination made of these takes `access_token`
    and `credentials` as they are; `tokens` is what a token store keeps of the account, or `None`.
    """

    @property
    def account(self) -> str | None: ...

    @property
    def fields(self) -> Mapping[str, Any]: ...

    @property
    def access_token(self) -> Secret | None: ...

    @property
    def credentials(self) -> CredentialSource | None: ...

    @property
    def tokens(self) -> AccountTokens | None: ...

    def now(self) -> float:
        """Return the wall clock's seconds."""
        ...

    def call(self, destination: Destination, operation: str, make: Callable[[], Flow[T]]) -> T:
        """Drive a flow, signed; it is tried again only where that is proved to be harmless."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What a server is asked that cannot be asked without opening something.

    At most `inits` uploads are opened; no byte is sent into any of them. `says` tells a person what
    is left behind. `run` yields the findings, each as soon as it is had.
    """

    inits: int
    says: str
    run: Callable[[], Iterator[Finding]]


class TransportFactory(Protocol):
    """What an entry point of the group `uploader.transports` loads.

    `token_variable` names the environment variable that the command takes the access token from,
    "" where none is needed.
    Optional: `schemes`, the URL schemes that `uploader put FILE URL` finds it by, and
    `locate(url) -> Mapping[str, Any]`, the fields that such a URL stands for. The command completes
    a URL that ends in "/" by the file's name first, unless `takes_many = True` says that one URL
    stands for any number of files (an upload server). Optional too: `meanings`, a sequence of
    `CodeMeaning`, which `uploader explain` tells of. Where accounts log in:
    `accounts(store, app, *, base_url)`, credentials with `login`, `add` and `revoke`, and
    `account_variables`, the environment variables whose values `app` holds by name, and
    `account_transport` where the accounts are kept under another transport's name.
    For `uploader doctor`: `hosts(fields)`, the origins that uploads go to, each with whether it is
    needed by every upload; `checks(examination)`, an iterator of findings about an account; and
    `probe(examination)`, a `Probe` of the rules that a server's documentation leaves open.
    `preflight(destination)` returns what checks an upload before it is sent, a `Preflight`; it is
    found by the name of the destination's transport.
    `sandbox()` returns a context manager that runs a local stand-in, or `None` where the
    destination has none; it has `.base_url` and `.access_token`.
    """

    name: str
    summary: str
    token_variable: str
    options: tuple[DestinationOption, ...]

    @property
    def capabilities(self) -> Capabilities: ...

    def destination(self, access_token: Secret | None, fields: Mapping[str, Any]) -> Destination:
        """Build a destination from named options, or raise `ConfigurationError`."""
        ...

    def sandbox(self, *, port: int = 0) -> Any: ...
