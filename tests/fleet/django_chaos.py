"""The chaos of a fleet whose journal is a Django project's, in PostgreSQL.

Rule: run as a program, for a process has one Django. Prints what was done.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from tests.django.postgres import server
from tests.fleet import brokers
from tests.fleet.chaos import ACCOUNTS, CONF, INSTALL, RATES, SANDBOX, WINDOW, play
from tests.fleet.fleet import fleet
from transports.tiktok.sandbox import Sandbox, book


def main(folder: Path, count: int, seconds: float) -> None:
    """Play it with brokers and a database of its own."""
    (limits_folder := folder / "limits").mkdir()
    with (
        brokers.redis(folder) as redis,
        brokers.redis(limits_folder) as limits,
        brokers.rabbitmq(folder) as rabbitmq,
        server() as database,
        Sandbox(**SANDBOX) as sandbox,
    ):
        os.environ |= {
            "DJANGO_SETTINGS_MODULE": "tests.fleet.django_settings",
            "FLEET_DATABASE": json.dumps(database),
            "FLEET_LIMITS": limits,
            "FLEET": json.dumps({"tokens": str(folder / "tokens.json")}),
            "UPLOADER_RATES": RATES,
        }
        book.WINDOW_SECONDS = WINDOW
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)
        with fleet(
            folder, sandbox, accounts=ACCOUNTS, install=INSTALL, conf=CONF, django=True
        ) as made:
            done = play(made, (redis, rabbitmq), count, seconds).done
    print(json.dumps(done))  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
