"""A release and the one before share a database, while workers are replaced one by one."""

import importlib
import pkgutil

import pytest
from django.apps import apps
from django.db import connections, migrations, models

from tests.django.uploads import entry, leased
from uploader.contrib.django import DjangoJournal
from uploader.contrib.django import migrations as ours
from uploader.contrib.django.models import Upload
from uploader.journal import PartRecord, State

TABLES = ("upload", "part", "account", "pause", "mark")
HARMLESS = (
    migrations.AddIndex,
    migrations.AlterModelOptions,
    migrations.CreateModel,
)
"""What a release that knows nothing of it does not notice."""


@pytest.mark.parametrize("column", ["text", "varchar(20)", "double precision"])
def test_columns_of_a_newer_release_are_left_alone(
    postgres: dict[str, str], journal: DjangoJournal, column: str
) -> None:
    """An upload is recorded, driven to its end, listed and pruned beside them."""
    with connections["default"].cursor() as cursor:
        for table in TABLES:
            cursor.execute(f"ALTER TABLE mmap_uploader_{table} ADD COLUMN newer {column}")
        try:
            made, lease = leased(journal)
            journal.save(lease, {"state": State.SENDING}, part=PartRecord(0, "a", {"n": 1}))
            journal.save(lease, {"state": State.DONE}, durable=True)
            journal.release(lease)
            assert [each.upload_id for each in journal.latest()] == [made.upload_id]
            assert journal.parts(made.upload_id) == [PartRecord(0, "a", {"n": 1})]
            assert journal.stand_in(b"x")
            journal.forget(made.upload_id)
        finally:
            for table in TABLES:
                cursor.execute(f"ALTER TABLE mmap_uploader_{table} DROP COLUMN newer")


@pytest.mark.usefixtures("database")
def test_rows_of_an_older_release_are_driven(journal: DjangoJournal) -> None:
    """It left every column empty that may be, what came later among them."""
    recorded = journal.add(entry())
    empty = {
        field.name: None
        for field in Upload._meta.get_fields()
        if isinstance(field, models.Field) and field.null
    }
    assert {"reference", "standing"} <= empty.keys()
    Upload.objects.filter(upload_id=recorded.upload_id).update(**empty)

    again = journal.claim(entry(identity=recorded.identity), 60.0)

    assert (again.fresh, again.entry.upload_id) == (False, recorded.upload_id)
    assert again.lease is not None
    journal.save(again.lease, {"state": State.DONE, "reference": "v_pub~1"})
    assert [each.state for each in journal.referred("tiktok", "v_pub~1")] == [State.DONE]


def test_a_migration_after_the_first_adds_and_takes_nothing_away() -> None:
    """Tables, indexes, and columns that may be empty: an older release goes on writing."""
    names = [each.name for each in pkgutil.iter_modules(ours.__path__)]
    assert names[0] == "0001_initial"
    for name in names[1:]:
        module = importlib.import_module(f"{ours.__name__}.{name}")
        for operation in module.Migration.operations:
            added = isinstance(operation, migrations.AddField) and operation.field.null
            assert added or isinstance(operation, HARMLESS), f"{name}: {operation}"


def test_models_and_migrations_agree() -> None:
    """What a model says, a migration has done."""
    from django.db.migrations.autodetector import MigrationAutodetector
    from django.db.migrations.loader import MigrationLoader
    from django.db.migrations.state import ProjectState

    loader = MigrationLoader(connections["default"])
    changes = MigrationAutodetector(loader.project_state(), ProjectState.from_apps(apps)).changes(
        graph=loader.graph, trim_to_apps={"mmap_uploader"}
    )
    assert "mmap_uploader" not in changes
