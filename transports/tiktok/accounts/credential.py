"""What signs the requests of one account, and learns when it is no longer good.

Rule: only a token that is called invalid is refreshed; a missing scope is not healed that way.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Final

from uploader.http import Request, Response
from uploader.secret import Secret

NOT_HEALED: Final = frozenset({"scope_not_authorized", "scope_permission_missed"})


class AccountCredential:
    """An access token. `refused` is called once the server no longer takes it."""

    __slots__ = ("_refused", "_token")

    def __init__(self, token: Secret, refused: Callable[[], object]) -> None:
        self._token = token
        self._refused = refused

    def sign(self, request: Request) -> Mapping[str, str | Secret]:
        return {"Authorization": Secret(f"Bearer {self._token.reveal()}")}

    def learn(self, response: Response) -> None:
        """Note an answer of 401 to this token, unless it says that a scope is missing."""
        if response.status == 401 and _code(response) not in NOT_HEALED:
            self._refused()


def _code(response: Response) -> str:
    try:
        return str(json.loads(response.content)["error"]["code"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""
