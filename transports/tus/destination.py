"""What users construct to say: upload this to a tus server.

Rule: wrong fields are refused when the object is made, before anything is sent.
"""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, ClassVar, Final

from transports.tus.addresses import check_url, origin_at
from transports.tus.concatenation import TusConcatenation
from transports.tus.limits import in_order, in_parallel
from transports.tus.protocol import TusServer, TusTransport
from transports.tus.wording import OWN_HEADERS, check_metadata
from uploader.errors import ConfigurationError
from uploader.http import origin
from uploader.secret import Secret
from uploader.transport import Capabilities, CredentialSource

SENSITIVE: Final = frozenset({"authorization", "cookie", "proxy-authorization"})
"""Headers whose values are secrets, whoever gave them."""
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def _masked(cls: type[TusUpload]) -> type[TusUpload]:
    """Mask what opens an upload, headers too, before the generated `__init__` holds its text."""
    inner = cls.__init__

    @functools.wraps(inner)
    def init(self: TusUpload, *args: Any, **fields: Any) -> None:
        for name in ("access_token", "upload_url"):
            if isinstance(fields.get(name), str):
                fields[name] = Secret(fields[name])
        if isinstance(fields.get("headers"), Mapping):
            fields["headers"] = {
                name: Secret(value) if str(name).lower() in SENSITIVE else value
                for name, value in fields["headers"].items()
            }
        inner(self, *args, **fields)

    cls.__init__ = init  # type: ignore[method-assign]
    return cls


@_masked
@dataclass(frozen=True)
class TusUpload:
    """Upload to a tus 1.0.0 server: to `url`, where it creates uploads, or go on at `upload_url`.

    `upload_url` is that of an upload which was opened elsewhere, such as Vimeo's `upload_link`; it
    is a secret. What it holds already is taken for the beginning of this content. `metadata` is
    told to the server, with `filename` and `filetype` of the source unless they are given; `None`
    leaves one out. `part_size` is in bytes, by default 64 MiB. `parallel` sends so many partial
    uploads at once, where the server offers concatenation. `checksum="sha1"` lets it check what it
    received, which costs a pass over the content.

    Requests are signed (`signed`) when a token or credentials are given here; say `signed=True`
    where the uploader's own `credentials` serve. `headers` go with every request; those that are
    `Secret`s, and any that authorise, are kept out of journals, so that only the same call can
    resume. `upload_hosts` are further hosts on which this server may place uploads.
    `session_lifetime` is how long it keeps an unfinished one, in seconds, where that is known.
    `public_location` tells the upload's URL as the result's `location`: whoever knows it may be
    able to fetch, change or end the upload. Raises `ConfigurationError`.
    """

    accountless: ClassVar[bool] = True

    url: str = ""
    metadata: Mapping[str, str | None] = field(default_factory=dict)
    _: KW_ONLY
    upload_url: Secret | str | None = field(default=None, repr=False)
    account: str | None = None
    access_token: Secret | str | None = field(default=None, repr=False)
    credentials: CredentialSource | None = field(default=None, repr=False)
    signed: bool | None = None
    content_type: str | None = None
    part_size: int | None = None
    parallel: int = 1
    checksum: str | None = None
    headers: Mapping[str, str | Secret] = field(default_factory=dict)
    upload_hosts: tuple[str, ...] = ()
    session_lifetime: float | None = None
    public_location: bool = False
    elsewhere: str | None = None
    """The origin of an upload that was opened elsewhere; a journal keeps no more of its URL."""

    def __post_init__(self) -> None:
        if self.signed is None:
            given = self.access_token is not None or self.credentials is not None
            self._set("signed", given)
        self._set("metadata", dict(self.metadata))
        self._set("headers", dict(self.headers))
        self._set("upload_hosts", tuple(self.upload_hosts))
        for host in self.upload_hosts:
            origin_at(host)
        self._check_place()
        check_metadata(self.metadata)
        if self.access_token is not None and not Secret(self.access_token):
            raise ConfigurationError("the access token is empty")
        if self.access_token is not None and not Secret(self.access_token).fits_a_header():
            raise ConfigurationError(
                "the access token holds a line end, a space or another character that no header"
                " takes"
            ).hint("look for a line end or a space around it")
        if self.checksum not in (None, "sha1"):
            raise ConfigurationError(f"there is no checksum {self.checksum!r}").hint(
                'the one that every server with checksums has is "sha1"'
            )
        if self.session_lifetime is not None and self.session_lifetime <= 0:
            raise ConfigurationError(
                f"session_lifetime is {self.session_lifetime:g} s, it must be above 0"
            )
        for name, value in self.headers.items():
            _check_header(name, value)
        self._capabilities()

    @property
    def origin(self) -> str:
        return origin(self.elsewhere or self.url)

    def fields(self) -> dict[str, Any]:
        """Return what the factory makes this upload of again, all secrets aside."""
        public = {n: v for n, v in self.headers.items() if not isinstance(v, Secret)}
        plain: dict[str, Any] = {
            "url": self.url or None,
            "elsewhere": self.elsewhere,
            "metadata": dict(self.metadata) or None,
            "account": self.account,
            "signed": self.signed or None,
            "content_type": self.content_type,
            "part_size": self.part_size,
            "parallel": self.parallel if self.parallel != 1 else None,
            "checksum": self.checksum,
            "headers": public or None,
            "withheld": sorted(set(self.headers) - set(public)) or None,
            "upload_hosts": list(self.upload_hosts) or None,
            "session_lifetime": self.session_lifetime,
            "public_location": self.public_location or None,
        }
        return {name: value for name, value in plain.items() if value is not None}

    def identity_fields(self) -> dict[str, Any]:
        if self.upload_url is None:
            return {"url": self.url or self.elsewhere, "metadata": dict(self.metadata)}
        digest = hashlib.sha256(Secret(self.upload_url).reveal().encode()).hexdigest()
        return {"upload": digest}

    def transport(self) -> TusTransport | TusConcatenation:
        server = TusServer(
            url=self.url,
            headers=self.headers,
            others=frozenset(map(origin_at, self.upload_hosts)),
            auth="bearer" if self.signed else None,
        )
        if self.parallel > 1:
            return TusConcatenation(
                server=server,
                metadata=self.metadata,
                capabilities=self._capabilities(),
                media_type=self.content_type,
                tells_location=self.public_location,
            )
        return TusTransport(
            server=server,
            metadata=self.metadata,
            capabilities=self._capabilities(),
            media_type=self.content_type,
            given=None if self.upload_url is None else Secret(self.upload_url),
            is_elsewhere=self.elsewhere is not None,
            tells_location=self.public_location,
        )

    def _check_place(self) -> None:
        given = self.upload_url if self.upload_url is not None else self.elsewhere
        if bool(self.url) == (given is not None):
            raise ConfigurationError("a tus upload has either a url or an upload_url").hint(
                "url is where the server creates uploads, upload_url is one that was created"
            )
        if given is None:
            check_url("url", Secret(self.url), plain=not self._holds_secrets)
            return
        check_url("upload_url", Secret(given), plain=False)
        if self.parallel != 1:
            raise ConfigurationError("an upload that was opened elsewhere cannot go in parallel")
        self._set("elsewhere", origin(given))

    @property
    def _holds_secrets(self) -> bool:
        """Whether a request carries something that must not be overheard."""
        return bool(self.signed) or any(isinstance(v, Secret) for v in self.headers.values())

    def _capabilities(self) -> Capabilities:
        digests = frozenset({"sha1"} if self.checksum else ())
        if self.parallel == 1:
            return in_order(self.part_size, digests=digests, lifetime=self.session_lifetime)
        return in_parallel(
            self.parallel, self.part_size, digests=digests, lifetime=self.session_lifetime
        )

    def _set(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)


def _check_header(name: str, value: str | Secret) -> None:
    lower = name.lower()
    if not _TOKEN.fullmatch(name):
        raise ConfigurationError(f"{name!r} is no name of a header")
    if lower in OWN_HEADERS or lower.startswith("upload-"):
        raise ConfigurationError(f"the header {name} is tus's own")
    text = Secret(value)
    if not (text.reveal().isascii() and text.reveal().isprintable()):
        raise ConfigurationError(f"the header {name} has a value that no header can carry")
