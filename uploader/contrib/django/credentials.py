"""Tokens of accounts that the project's own store keeps, for whichever transport has accounts.

Rule: made once for each transport and service; what may refresh them asks the store for its lease.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from typing import Any

from uploader import registry
from uploader.errors import AccountError, ConfigurationError
from uploader.secret import Secret
from uploader.tokens import TokenStore
from uploader.transport import Credential


class StoredCredentials:
    """Return what signs for an account of `store`; `app` holds what the apps are known by."""

    def __init__(self, store: TokenStore, app: Mapping[str, Secret]) -> None:
        self.store = store
        self._app = app
        self._made: dict[tuple[str, Any], Any] = {}
        self._lock = threading.Lock()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._renew_lock)

    def __call__(self, transport: str, account: str | None) -> Credential | Secret | str:
        factory: Any = registry.load(transport)
        kept_as = str(getattr(factory, "account_transport", transport))
        if account is None:
            raise AccountError(f"no account of {transport} is named").hint(
                "give the destination account=..."
            )
        tokens = self.store.get(kept_as, account)
        if tokens is None:
            raise AccountError(f"the account {account!r} of {kept_as} has not logged in").hint(
                "let it log in, or give the destination a token"
            )
        if not hasattr(factory, "accounts"):
            return tokens.access_token
        given: Credential | Secret | str = self._accounts(
            factory, kept_as, tokens.fields.get("base_url")
        )(kept_as, account)
        return given

    def _accounts(self, factory: Any, kept_as: str, base_url: Any) -> Any:
        with self._lock:
            if (kept_as, base_url) not in self._made:
                app = {name: self._secret(name) for name in factory.account_variables}
                self._made[kept_as, base_url] = factory.accounts(self.store, app, base_url=base_url)
            return self._made[kept_as, base_url]

    def _secret(self, name: str) -> Secret:
        found = self._app.get(name) or Secret(os.environ.get(name, "").strip())
        if not found:
            raise ConfigurationError(f"{name} is not set, so no token can be refreshed").hint(
                f'UPLOADER = {{"APPS": {{"{name}": ...}}}}, or the variable {name}'
            )
        return found

    def _renew_lock(self) -> None:
        self._lock = threading.Lock()
