"""What `manage.py check` says of the setting `UPLOADER`, the database and the tables.

Rule: each mistake is one message that says what to do; errors stop what cannot work, warnings tell
what will hurt later. The database itself is asked only by `check --database`, and by `migrate`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register  # noqa: A004
from django.db import Error as DatabaseProblem
from django.db import connections
from django.db.migrations.executor import MigrationExecutor

from uploader.contrib.django import conf

LABEL = "mmap_uploader"


@register
def check_settings(**_: Any) -> list[CheckMessage]:
    """Explain what is wrong with `UPLOADER`, and what is unwise in production."""
    wrong = list(conf.problems())
    if wrong:
        return [Error(text, hint=hint, id=f"{LABEL}.E001") for text, hint in wrong]
    return [] if settings.DEBUG else list(_unwise())


def _unwise() -> Iterator[CheckMessage]:
    values = conf.chosen()
    if "SEAL_KEY" not in values:
        yield Warning(
            "UPLOADER has no SEAL_KEY: tokens are sealed with a key that SECRET_KEY makes, and are"
            " lost with it",
            hint="python -m uploader.journals.sealing makes one; what is sealed already stays"
            " readable as long as SECRET_KEY is in the settings",
            id=f"{LABEL}.W001",
        )
    alias = values.get("JOURNAL", "default")
    if "sqlite3" in settings.DATABASES[alias]["ENGINE"]:
        yield Warning(
            f"the journal is in the SQLite database {alias!r}: one process writes at a time, on one"
            " machine",
            hint="before there are many workers, let UPLOADER['JOURNAL'] name a server's database",
            id=f"{LABEL}.W002",
        )


@register(deploy=True)
def check_deployment(**_: Any) -> list[CheckMessage]:
    """Warn of what must not go to production."""
    if not settings.DEBUG:
        return []
    return [
        Warning(
            "DEBUG is on: nothing is said of keys and databases, and error pages show frames",
            hint="set DEBUG = False, and check again",
            id=f"{LABEL}.W003",
        )
    ]


@register(Tags.database)
def check_tables(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Say when the tables are missing, or older than this release."""
    if list(conf.problems()):
        return []
    values = conf.chosen()
    journal = values.get("JOURNAL", "default")
    wanted = {journal, values.get("TOKENS", journal)} & set(databases or ())
    return [message for alias in sorted(wanted) for message in _unmigrated(alias)]


def _unmigrated(alias: str) -> Iterator[CheckMessage]:
    try:
        executor = MigrationExecutor(connections[alias])
    except DatabaseProblem:
        return
    leaves = [node for node in executor.loader.graph.leaf_nodes() if node[0] == LABEL]
    missing = [migration.name for migration, _ in executor.migration_plan(leaves)]
    if missing:
        yield Warning(
            f"the database {alias!r} lacks {len(missing)} migrations of the uploader:"
            f" {', '.join(missing)}",
            hint=f"python manage.py migrate {LABEL} --database {alias}",
            id=f"{LABEL}.W004",
        )
