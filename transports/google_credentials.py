"""Google's credentials, as google-auth finds and renews them: for every Google destination.

Rule: blocks (a token is fetched over the network), so it is asked on worker threads only.
google-auth loads when the first token is asked for; none of its messages is repeated, some quote
what they sent.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from uploader.errors import AuthenticationError, ConfigurationError, NetworkError
from uploader.http import Request, Response, origin
from uploader.secret import Secret
from uploader.transport import Credential

if TYPE_CHECKING:
    from google.auth.credentials import Credentials

SCOPES: Final[Mapping[str, Sequence[str]]] = {
    "gcs": ("https://www.googleapis.com/auth/devstorage.read_write",),
    "youtube": (
        "https://www.googleapis.com/auth/youtube.upload",
        "https://www.googleapis.com/auth/youtube.readonly",
    ),
}
"""What each destination needs. https://developers.google.com/identity/protocols/oauth2/scopes"""
SECRET_HEADERS: Final = frozenset({"authorization", "x-goog-iam-authorization-token"})


class GoogleCredentials:
    """Give Google destinations their tokens: `GcsObject(..., credentials=GoogleCredentials())`.

    Without arguments they are the application default ones: GOOGLE_APPLICATION_CREDENTIALS (a
    service account's key, an impersonation, a federated identity), what `gcloud` has logged in, or
    the machine's own account. `credentials` is any object that google-auth made,
    `service_account_file` the path of a key. A token is fetched once and kept until it is about to
    expire. One object serves any number of uploads. https://google-auth.readthedocs.io/
    """

    def __init__(
        self,
        credentials: Credentials | None = None,
        *,
        service_account_file: str | os.PathLike[str] | None = None,
        scopes: Sequence[str] | None = None,
    ) -> None:
        if credentials is not None and service_account_file is not None:
            raise ConfigurationError("credentials and a service account's file are both given")
        self._given = credentials
        self._file = service_account_file
        self._scopes = scopes
        self._lock = threading.Lock()
        self._pid = os.getpid()
        self._kept: dict[str, tuple[Credentials, Any]] = {}
        self._refused: set[str] = set()

    def __call__(self, transport: str, account: str | None) -> Credential:
        return _Signature(self, transport)

    def headers(self, transport: str, method: str, url: str) -> dict[str, str | Secret]:
        """Return the headers that sign a request; fetch a token when there is none that lasts."""
        self._part_from_parent()
        signed: dict[str, str] = {}
        with self._lock:
            failure = self._sign(transport, method, url, signed)
        if failure is not None:
            raise failure
        return {
            name: Secret(value) if name.lower() in SECRET_HEADERS else value
            for name, value in signed.items()
        }

    def refused(self, transport: str) -> None:
        """Fetch another token before the next request: a server did not take this one."""
        self._refused.add(transport)

    def _sign(
        self, transport: str, method: str, url: str, headers: dict[str, str]
    ) -> AuthenticationError | ConfigurationError | NetworkError | None:
        try:
            import google.auth.exceptions
        except ImportError:
            return ConfigurationError("google-auth is not installed").hint(
                f'pip install "mmap-uploader[{transport}]"'
            )
        try:
            credentials, fetch = self._loaded(transport)
            if transport in self._refused:
                self._refused.discard(transport)
                credentials.refresh(fetch)
            credentials.before_request(fetch, method, url, headers)
        except google.auth.exceptions.TransportError:
            return NetworkError("Google's token server cannot be reached", ambiguous=False)
        except google.auth.exceptions.DefaultCredentialsError:
            return ConfigurationError(
                "no Google credentials were found, or they are malformed"
            ).hint(
                "run `gcloud auth application-default login`, or let"
                " GOOGLE_APPLICATION_CREDENTIALS name a key file"
            )
        except google.auth.exceptions.GoogleAuthError as error:
            return AuthenticationError(
                f"Google gave no token for the credentials: {type(error).__name__}"
            )
        except (OSError, ValueError) as error:
            return ConfigurationError(
                f"the Google credentials cannot be read: {type(error).__name__}"
            )
        return None

    def _loaded(self, transport: str) -> tuple[Credentials, Any]:
        kept = self._kept.get(transport)
        if kept is None:
            import google.auth.transport.requests

            scopes = list(self._scopes or SCOPES.get(transport, ()))
            fetch = google.auth.transport.requests.Request()
            kept = self._kept[transport] = self._load(scopes), fetch
        return kept

    def _load(self, scopes: list[str]) -> Credentials:
        import google.auth
        from google.auth.credentials import with_scopes_if_required
        from google.oauth2 import service_account

        if self._given is not None:
            scoped: Credentials = with_scopes_if_required(self._given, scopes)
            return scoped
        if self._file is not None:
            key: Credentials = service_account.Credentials.from_service_account_file(
                os.fspath(self._file), scopes=scopes
            )
            return key
        found: Credentials = google.auth.default(scopes=scopes)[0]
        return found

    def _part_from_parent(self) -> None:
        """Start afresh in a forked child: a lock that another thread held stays locked there."""
        if self._pid != os.getpid():
            self._pid = os.getpid()
            self._lock, self._kept = threading.Lock(), {}

    def __repr__(self) -> str:
        return "GoogleCredentials()"


class _Signature:
    """What signs requests of one transport."""

    __slots__ = ("_credentials", "_transport")

    def __init__(self, credentials: GoogleCredentials, transport: str) -> None:
        self._credentials = credentials
        self._transport = transport

    def sign(self, request: Request) -> Mapping[str, str | Secret]:
        # The path of a session's URI is a secret, and no kind of credential needs it.
        return self._credentials.headers(self._transport, request.method, origin(request.url))

    def learn(self, response: Response) -> None:
        if response.status == 401:
            self._credentials.refused(self._transport)
