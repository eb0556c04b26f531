"""What the journal's tables know of themselves: their environment, and the key of stand-ins.

Rule: that key outlives all others, since what it stands in for is part of an upload's identity. It
is kept sealed, and tells by the way whether the keys given are the journal's.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Any, Final

from django.db import IntegrityError, connections

from uploader.contrib.django.base import Base
from uploader.contrib.django.models import Mark
from uploader.errors import ConfigurationError, JournalError
from uploader.journals import rules
from uploader.journals.sealing import Sealer
from uploader.secret import Secret

STAND_IN: Final = "stand_in"
ENVIRONMENT: Final = "environment"


class Marks:
    """Read the marks on first use, make those that are missing, refuse what does not fit."""

    def __init__(self, base: Base, sealer: Sealer, environment: str | None) -> None:
        self._base = base
        self._sealer = sealer
        self._wanted = environment
        self._known: tuple[Secret, str | None] | None = None

    @property
    def stand_in(self) -> Secret:
        return self._learn()[0]

    @property
    def environment(self) -> str | None:
        return self._learn()[1]

    def check(self, *, joining: bool) -> None:
        """Refuse another environment's tables, and keys that open nothing in these.

        What is missing is made in the caller's transaction only for one who is `joining` it.
        """
        self._learn(joining=joining)

    def now(self, clock: Any) -> float:
        """Return the time by an expression, on whichever connection this thread has."""
        connection = connections[self._base.alias]
        compiler = (
            Mark.objects.using(self._base.alias).all().query.get_compiler(connection=connection)
        )
        sql, values = compiler.compile(clock.resolve_expression(None))
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {sql}{connection.features.bare_select_suffix}", values)
            return float(cursor.fetchone()[0])

    def _learn(self, *, joining: bool = True) -> tuple[Secret, str | None]:
        if self._known is not None:
            return self._known
        run = self._base.joining if joining else self._base.alone
        rows = run(self._read)
        missing = STAND_IN not in rows or (self._wanted is not None and ENVIRONMENT not in rows)
        if missing:
            rows = run(self._make)
        carried = rows.get(ENVIRONMENT)
        if None not in (carried, self._wanted) and carried != self._wanted:
            raise rules.other_environment(self._base.place, carried or "", self._wanted or "")
        known = self._opened(rows[STAND_IN]), carried
        # What was made in a caller's transaction may be rolled back with it.
        if not (missing and joining and self._base.is_joined):
            self._known = known
        return known

    def _opened(self, sealed: str) -> Secret:
        try:
            key = self._sealer.open(sealed.encode())["key"]
        except JournalError as error:
            raise ConfigurationError(f"{error.message}: {self._base.place}").hint(
                error.hints[0]
            ) from None
        if not self._sealer.is_current(sealed.encode()) and not self._base.is_joined:
            renewed = self._sealer.seal({"key": key}).decode()
            self._base.alone(lambda: self._rows.filter(name=STAND_IN).update(value=renewed))
        return key

    @property
    def _rows(self) -> Any:
        return Mark.objects.using(self._base.alias)

    def _read(self) -> dict[str, str]:
        return dict(self._rows.values_list("name", "value"))

    def _make(self) -> dict[str, str]:
        """Make what is missing; of several processes that do so at once all get the same."""
        made = {STAND_IN: self._sealer.seal({"key": Secret(os.urandom(32).hex())}).decode()}
        if self._wanted is not None:
            made[ENVIRONMENT] = self._wanted
        for name in made.keys() - self._read().keys():
            with suppress(IntegrityError), self._base.transaction():
                self._rows.bulk_create([Mark(name=name, value=made[name])])
        return self._read()
