"""Journal and token store in Django's database pass the suites that third parties' have to."""

from pathlib import Path

import pytest
from django.db.models import FloatField, Value

from tests.django.children import KEY
from uploader.contrib.django.journal import DjangoJournal
from uploader.contrib.django.store import DjangoTokenStore
from uploader.journal import Journal
from uploader.testing.journals import SharedJournalContract
from uploader.testing.tokens import SharedTokenStoreContract
from uploader.tokens import TokenStore


class TestJournalOnSqlite(SharedJournalContract):
    """In a file."""

    def make(self) -> Journal:
        return DjangoJournal(
            keys=[KEY], clock=lambda: Value(self.clock.now, output_field=FloatField())
        )


@pytest.mark.usefixtures("postgres")
class TestJournalOnPostgres(TestJournalOnSqlite):
    """By a server."""


class TestStoreOnSqlite(SharedTokenStoreContract):
    """In a file."""

    def make(self) -> TokenStore:
        return DjangoTokenStore(keys=[KEY])


@pytest.mark.usefixtures("postgres")
class TestStoreOnPostgres(TestStoreOnSqlite):
    """By a server, whose files are looked into as well."""

    @pytest.fixture(autouse=True)
    def _files_of_the_server(self, postgres: dict[str, str]) -> None:
        self.folder = Path(postgres["HOST"]) / "data" / "base"
