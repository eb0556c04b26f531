"""The database under journal and token store: whose connection is asked, and what its errors say.

Rule: no error of the database's leaves this module as itself: its text may hold rows. A caller's
transaction is joined where that is wanted, and never else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

from django.db import connections, transaction
from django.db.utils import Error as AnyError
from django.db.utils import ProgrammingError

from uploader.contrib.django.crew import BUSY, Crew
from uploader.errors import JournalError, TokenStoreError, UploaderError

T = TypeVar("T")
_MIGRATE: Final = "create its tables: python manage.py migrate mmap_uploader"
_INSIDE: Final = (
    "this thread is inside transaction.atomic, which only enqueue() joins: upload after it,"
    " or in a task"
)
# Both for this transaction alone. What is stricter than `on` stays.
_PREPARE: Final = (
    "SELECT set_config('lock_timeout', %s, true), CASE WHEN"
    " current_setting('synchronous_commit') IN ('off', 'local')"
    " THEN set_config('synchronous_commit', 'on', true) END"
)


class Base:
    """A database by its alias in `DATABASES`.

    `what` it keeps names it in errors, which are of the class `failure`.
    """

    def __init__(
        self,
        alias: str,
        *,
        what: str = "the journal",
        failure: type[JournalError] | type[TokenStoreError] = JournalError,
    ) -> None:
        self.alias = alias
        self._failure = failure
        self.place = f"{what} in the database {alias!r}"
        self._crew = Crew(alias, closed=lambda: failure(f"{self.place} is closed"))

    @property
    def is_joined(self) -> bool:
        """Whether this thread is in a transaction of the application's own."""
        theirs = connections[self.alias]
        return theirs.in_atomic_block or not theirs.settings_dict["AUTOCOMMIT"]

    def alone(
        self,
        work: Callable[[], T],
        *,
        repeat: bool = False,
        undo: Callable[[T], object] | None = None,
    ) -> T:
        """Run `work` on a connection of ours, as `Crew.run` does."""
        with self._telling():
            return self._crew.run(work, repeat=repeat, undo=undo)

    def joining(self, work: Callable[[], T], *, repeat: bool = True) -> T:
        """Run `work` in the transaction that this thread is in, otherwise on one of ours."""
        if not self.is_joined:
            return self.alone(work, repeat=repeat)
        with self._telling():
            return work()

    @contextmanager
    def transaction(self, *, durable: bool = False) -> Iterator[None]:
        """Write all of it or nothing, on whichever connection this thread has."""
        with transaction.atomic(using=self.alias):
            connection = connections[self.alias]
            if durable and connection.vendor == "postgresql":
                with connection.cursor() as cursor:
                    cursor.execute(_PREPARE, [f"{BUSY}s"])
            yield

    def close(self) -> None:
        self._crew.close()

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
            return
        except UploaderError:
            raise
        except AnyError as error:
            failure = self._named(error)
        raise failure

    def _named(self, error: AnyError) -> UploaderError:
        text = str(error).strip().partition("\n")[0]
        failure = self._failure(f"{self.place}: {text or type(error).__name__}")
        missing = isinstance(error, ProgrammingError) or "no such table" in text
        if missing:
            failure.hint(_MIGRATE)
        elif self.is_joined:
            failure.hint(_INSIDE)
        return failure
