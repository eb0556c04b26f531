"""The token store in a Django project's database, for the processes of many machines.

Rule: tokens are sealed with keys that the database does not hold; what is written is committed when
the call returns, whatever transaction the caller is in. One process refreshes an account at a time:
its lease ends with it, or a while after its machine, by the database's clock.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final

from django.db import IntegrityError
from django.db.models import Q, QuerySet
from django.db.models.expressions import Combinable

from uploader.accounts import rules
from uploader.contrib.django.base import Base
from uploader.contrib.django.clock import DatabaseTime
from uploader.contrib.django.models import Account
from uploader.contrib.django.owners import MachineOwners
from uploader.contrib.django.pausing import place_of
from uploader.errors import JournalError, TokenStoreError
from uploader.journals import forking
from uploader.journals.sealing import Sealer
from uploader.secret import Secret
from uploader.tokens import NEW, AccountState, AccountTokens

TTL: Final = 30.0
"""Seconds after which the lease of a machine that went away is free; it is renewed more often."""
LOOK_EVERY: Final = 0.02
"""Seconds before the second try to get a lease; the waits grow from there."""
LOOK_SLOWEST: Final = 0.5
_KNOWN: Final = (
    *("id", "place", "transport", "account", "version", "sealed", "state", "reason", "subject"),
    *("scopes", "fields", "expires", "refresh_expires", "updated", "lease_owner", "lease_until"),
)
_GONE: Final[dict[str, Any]] = {
    **dict.fromkeys(("sealed", "state", "reason", "subject", "scopes", "fields")),
    **dict.fromkeys(("expires", "refresh_expires", "updated")),
}


class DjangoTokenStore:
    """Keep tokens in the database `using`, whose tables `migrate` has made.

    `keys` are Fernet keys: the first one seals, all of them open. `clock` returns the expression
    that tells the time.
    """

    def __init__(
        self,
        using: str = "default",
        *,
        keys: Sequence[Secret | str],
        clock: Callable[[], Combinable] = DatabaseTime,
    ) -> None:
        self.alias = using
        self._sealer = Sealer(keys)
        self._clock = clock
        self._base = Base(using, what="the token store", failure=TokenStoreError)
        self._forking = threading.RLock()
        self._making = threading.Lock()
        self._owners: MachineOwners | None = None
        forking.watch(self)

    def get(self, transport: str, account: str) -> AccountTokens | None:
        kept = self._rows.filter(place=place_of(transport, account), sealed__isnull=False)
        row = self._base.alone(kept.first, repeat=True)
        return self._tokens(row) if row is not None else None

    def save(self, tokens: AccountTokens) -> AccountTokens:
        facts = self._facts(tokens)
        place = place_of(tokens.transport, tokens.account)

        def work() -> int:
            self._ensure(place, tokens.transport, tokens.account)
            with self._base.transaction(durable=True):
                row = self._rows.select_for_update().get(place=place)
                stored = NEW if row.sealed is None else row.version
                # Never the same number twice: what was removed is not taken for what came later.
                ours = self._rows.filter(place=place, version=row.version)
                if tokens.version != stored or not ours.update(version=row.version + 1, **facts):
                    raise rules.changed(tokens, stored)
                return int(row.version) + 1

        return replace(tokens, version=self._base.alone(work))

    @contextmanager
    def lease(self, transport: str, account: str, timeout: float) -> Iterator[None]:
        place = place_of(transport, account)
        owner = f"{self._own.name}/{secrets.token_hex(8)}"
        self._base.alone(lambda: self._ensure(place, transport, account))
        self._wait(place, owner, account, timeout)
        over = threading.Event()
        keeper = threading.Thread(
            target=self._keep, args=(place, owner, over), name="uploader-lease", daemon=True
        )
        keeper.start()
        try:
            yield
        finally:
            over.set()
            with contextlib.suppress(TokenStoreError):  # it lapses
                self._base.alone(
                    lambda: self._rows.filter(place=place, lease_owner=owner).update(
                        lease_owner=None, lease_until=0.0
                    )
                )

    def list(self, transport: str | None = None) -> Sequence[AccountTokens]:
        kept = self._rows.filter(sealed__isnull=False)
        rows = self._base.alone(lambda: list(kept), repeat=True)
        # Databases order, and compare, texts each in its own way.
        found = sorted(rows, key=lambda row: (row.transport, row.account))
        return [self._tokens(row) for row in found if transport in (None, row.transport)]

    def remove(self, transport: str, account: str) -> bool:
        place = place_of(transport, account)
        # The row stays with its number alone: who held these tokens must not take others that come
        # later for them.
        kept = self._rows.filter(place=place, sealed__isnull=False)
        return self._base.alone(lambda: kept.update(**_GONE)) > 0

    def close(self) -> None:
        self._base.close()
        if self._owners is not None:
            self._owners.close()

    def __repr__(self) -> str:
        return f"DjangoTokenStore({self.alias!r})"

    # Forks.

    @property
    def fork_lock(self) -> threading.RLock:
        # Nothing else takes it: a fork that holds it waits for what the crew does.
        return self._forking

    def before_fork(self) -> None:
        """The crew puts its connections away."""

    def start_in_child(self) -> None:
        self._forking = threading.RLock()
        self._making = threading.Lock()
        if self._owners is not None:
            self._owners.close()
            self._owners = None

    # How it is done.

    @property
    def _rows(self) -> QuerySet[Account]:
        return Account.objects.using(self.alias).only(*_KNOWN)

    @property
    def _own(self) -> MachineOwners:
        with self._making:
            if self._owners is None:
                self._owners = MachineOwners()
            return self._owners

    def _ensure(self, place: str, transport: str, account: str) -> None:
        """Have a row for an account, which may have no tokens."""
        if self._rows.filter(place=place).exists():
            return
        row = Account(place=place, transport=transport, account=account, version=NEW)
        with contextlib.suppress(IntegrityError), self._base.transaction():
            self._rows.bulk_create([row])

    def _wait(self, place: str, owner: str, account: str, timeout: float) -> None:
        end, pause = time.monotonic() + timeout, LOOK_EVERY
        while not self._base.alone(lambda: self._take(place, owner)):
            left = end - time.monotonic()
            if left <= 0:
                raise rules.busy(account, timeout)
            threading.Event().wait(min(pause, left))
            pause = min(pause * 1.5, LOOK_SLOWEST)

    def _take(self, place: str, owner: str) -> bool:
        ours = {"lease_owner": owner, "lease_until": self._clock() + TTL}
        rows = self._rows.filter(place=place)
        if rows.filter(Q(lease_owner=None) | Q(lease_until__lte=self._clock())).update(**ours):
            return True
        holder = rows.values_list("lease_owner", flat=True).first() or ""
        dead = self._own.is_dead(holder.partition("/")[0])
        return dead and rows.filter(lease_owner=holder).update(**ours) == 1

    def _keep(self, place: str, owner: str, over: threading.Event) -> None:
        """Renew a lease until it is given back: a slow answer must not let a second one in."""
        while not over.wait(TTL / 3):
            with contextlib.suppress(TokenStoreError):
                self._base.alone(
                    lambda: self._rows.filter(place=place, lease_owner=owner).update(
                        lease_until=self._clock() + TTL
                    )
                )

    def _facts(self, tokens: AccountTokens) -> dict[str, Any]:
        opened = {"access_token": tokens.access_token}
        if tokens.refresh_token is not None:
            opened["refresh_token"] = tokens.refresh_token
        return {
            "sealed": self._sealer.seal(opened).decode(),
            "state": str(tokens.state),
            "reason": tokens.reason,
            "subject": tokens.subject,
            "scopes": json.dumps(tokens.scopes),
            "fields": json.dumps(dict(tokens.fields)),
            "expires": tokens.expires,
            "refresh_expires": tokens.refresh_expires,
            "updated": tokens.updated,
        }

    def _tokens(self, row: Account) -> AccountTokens:
        try:
            return self._read(row)
        except JournalError as error:
            hints = error.hints
            failure = TokenStoreError(
                f"the tokens of {row.account} were sealed with another key: {self._base.place}"
            )
        except (KeyError, ValueError, TypeError):
            hints, failure = (
                [],
                TokenStoreError(
                    f"{self._base.place} is damaged: the tokens of {row.account} cannot be read"
                ),
            )
        for hint in hints:
            failure.hint(hint.replace("the journal", "the token store"))
        raise failure

    def _read(self, row: Account) -> AccountTokens:
        opened = self._sealer.open(str(row.sealed).encode())
        return AccountTokens(
            transport=row.transport,
            account=row.account,
            access_token=opened["access_token"],
            refresh_token=opened.get("refresh_token"),
            expires=row.expires,
            refresh_expires=row.refresh_expires,
            scopes=tuple(json.loads(row.scopes)),
            subject=row.subject,
            state=AccountState(row.state),
            reason=row.reason,
            updated=row.updated,
            fields=json.loads(row.fields),
            version=row.version,
        )
