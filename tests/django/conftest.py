"""A Django project for the tests of this folder alone; elsewhere Django stays unconfigured.

Each test has a database of its own under the alias "default": an SQLite file, or, with the fixture
`postgres`, tables in a PostgreSQL server that each worker process starts once.
"""

import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import django
import pytest
from django.conf import Settings, settings
from django.core.management import call_command
from django.db import connections
from django.utils.functional import empty

from tests.django import postgres as pg

CONFIGURED = Settings("tests.django.settings")
settings._wrapped = CONFIGURED
django.setup()

# Models can be imported from here on.
from tests.django.children import KEY  # noqa: E402
from uploader.contrib.django.journal import DjangoJournal  # noqa: E402
from uploader.contrib.django.running import close  # noqa: E402

settings._wrapped = empty


def turn_to(database: dict[str, Any]) -> None:
    """Let "default" be another database in this thread."""
    for opened in connections.all(initialized_only=True):
        opened.close()
        del connections[opened.alias]
    configured = connections.configure_settings({"default": database})
    connections.settings = configured


@contextmanager
def configured() -> Iterator[None]:
    """Have the project's settings for a while."""
    before = settings._wrapped
    settings._wrapped = CONFIGURED
    yield
    settings._wrapped = before


@pytest.fixture(autouse=True)
def _configured() -> Iterator[None]:
    with configured():
        yield
        close()


@pytest.fixture(scope="session")
def _migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Migrate an SQLite file that the tests copy."""
    path = tmp_path_factory.mktemp("django") / "migrated.sqlite3"
    with configured():
        turn_to({"ENGINE": "django.db.backends.sqlite3", "NAME": path})
        call_command("migrate", run_syncdb=True, verbosity=0)
        connections["default"].close()
    return path


@pytest.fixture(autouse=True)
def _sqlite(_configured: None, _migrated: Path, tmp_path: Path) -> Iterator[None]:
    path = tmp_path / "django.sqlite3"
    shutil.copy(_migrated, path)
    turn_to({"ENGINE": "django.db.backends.sqlite3", "NAME": path})
    yield
    connections["default"].close()


@pytest.fixture(scope="session")
def _server() -> Iterator[dict[str, Any]]:
    if pg.program("postgres") is None or pg.program("initdb") is None:
        pytest.skip("PostgreSQL is not installed")
    with pg.server() as database:
        with configured():
            turn_to(database)
            call_command("migrate", run_syncdb=True, verbosity=0)
            connections["default"].close()
        yield database


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, _sqlite: None) -> dict[str, Any]:
    """Run a test with either; return the keys of `DATABASES`."""
    if request.param == "postgres":
        request.getfixturevalue("postgres")
    found = connections["default"].settings_dict
    return {name: str(found[name]) for name in ("ENGINE", "NAME", "HOST", "USER")}


@pytest.fixture
def journal() -> Iterator[DjangoJournal]:
    """Open a journal in the test's database."""
    with closing(DjangoJournal(keys=[KEY])) as journal:
        yield journal


@pytest.fixture
def postgres(_sqlite: None, _server: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Let "default" be a PostgreSQL database whose tables are empty."""
    turn_to(_server)
    with connections["default"].cursor() as cursor:
        cursor.execute(
            "TRUNCATE mmap_uploader_part, mmap_uploader_upload, mmap_uploader_account,"
            " mmap_uploader_pause, mmap_uploader_mark, films_film"
        )
    yield _server
    connections["default"].close()
