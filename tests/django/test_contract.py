"""The journal in Django's database passes the suite that third parties hold theirs to."""

import pytest
from cryptography.fernet import Fernet
from django.db.models import FloatField, Value

from uploader.contrib.django.journal import DjangoJournal
from uploader.journal import Journal
from uploader.testing.journals import SharedJournalContract

KEY = Fernet.generate_key().decode()


class TestOnSqlite(SharedJournalContract):
    """In a file."""

    def make(self) -> Journal:
        return DjangoJournal(
            keys=[KEY], clock=lambda: Value(self.clock.now, output_field=FloatField())
        )


@pytest.mark.usefixtures("postgres")
class TestOnPostgres(TestOnSqlite):
    """By a server."""
