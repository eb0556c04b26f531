"""From what a caller gave us to the headers that sign a request.

Rule: asked for each attempt, on a worker thread (a token store may block); never kept.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import replace
from typing import Any, TypeVar

from uploader.errors import (
    AuthenticationError,
    ConfigurationError,
    TokenStoreError,
    TransportError,
    UploaderError,
)
from uploader.http import Request, Response
from uploader.secret import Secret
from uploader.transport import Credential, CredentialSource, Destination

UNFIT = "the access token holds a line end, a space or another character that no header takes"

E = TypeVar("E", bound=Exception)


class AccessToken:
    """A bearer token as a credential."""

    __slots__ = ("_token",)

    def __init__(self, token: Secret) -> None:
        self._token = token

    def sign(self, request: Request) -> Mapping[str, str | Secret]:
        return {"Authorization": Secret(f"Bearer {self._token.reveal()}")}


class Signer:
    """Sign the requests of one upload."""

    def __init__(
        self,
        destination: Destination,
        transport: str,
        fallback: CredentialSource | None,
        executor: Executor,
    ) -> None:
        self._token = destination.access_token
        self._source = destination.credentials or fallback
        self._transport = transport
        self._account = destination.account
        self._executor = executor
        self._last: Credential | None = None

    @property
    def can_renew(self) -> bool:
        """Whether another credential may come when this one is refused."""
        return self._token is None

    async def sign(self, request: Request) -> Request:
        """Return the request with its credential; raise `AuthenticationError` when none is had."""
        if request.auth is None:
            return request
        failure: UploaderError
        try:
            if self._token is not None:
                headers = _credential(self._token).sign(request)
            else:
                headers = await asyncio.get_running_loop().run_in_executor(
                    self._executor, self._obtain, request
                )
        except (TransportError, ConfigurationError, TokenStoreError) as error:
            failure = _bare(error)
        except Exception as error:
            # Neither the text nor the frames are kept: what a token store says may name the token.
            failure = AuthenticationError(
                f"{request.operation}: the credentials callable failed with {type(error).__name__}",
                operation=request.operation,
            )
        else:
            return replace(request, headers={**request.headers, **headers})
        raise failure

    def refused(self, request: Request, response: Response) -> None:
        """Let the credential learn from an answer of 401 or 403 to what it signed."""
        learn = getattr(self._last, "learn", None)
        if request.auth is not None and learn is not None:
            learn(response)

    def _obtain(self, request: Request) -> Mapping[str, str | Secret]:
        if self._source is None:
            raise ConfigurationError("there is no access token")
        self._last = _credential(self._source(self._transport, self._account))
        return self._last.sign(request)


def _bare(error: E) -> E:
    """Strip frames and causes: those of a token store may hold the token."""
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)


def _credential(value: Any) -> Credential:
    if isinstance(value, str | Secret):
        value = Secret(value)
        if not value:
            raise ConfigurationError("the access token is empty")
        if not (value.reveal().isascii() and value.reveal().isprintable()):
            raise ConfigurationError(
                "the access token holds characters that no header can carry"
            ).hint("a token that is read from a file may end in a line break: strip it")
        if not value.fits_a_header():
            raise ConfigurationError(UNFIT).hint("look for a line end or a space around it")
        return AccessToken(value)
    return value  # type: ignore[no-any-return]
