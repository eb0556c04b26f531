"""Serves the site of the admin's tests: `python -m tests.django.admin_site`.

Rule: it prints where it listens, and one line for each file that it was told to queue; it ends when
its standard input does. The credentials are a sandbox's token, from the environment.
"""

import os
import sys
import threading
from pathlib import Path

import django
from django.core.management import call_command
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
from django.core.wsgi import get_wsgi_application

from uploader.secret import Secret


def token(transport: str, account: str | None) -> Secret:
    """Return the sandbox's token for every account."""
    return Secret(os.environ["ADMIN_SITE_TOKEN"])


class Quiet(WSGIRequestHandler):
    """Says nothing of requests."""

    def log_message(self, *_: object) -> None:
        pass


def say(line: str) -> None:
    """Tell the test something."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    """Make the scene, and serve it until nobody holds the standard input."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.django.admin_settings"
    django.setup()
    from django.contrib.staticfiles.handlers import StaticFilesHandler

    from tests.django import admin_filling

    call_command("migrate", verbosity=0)
    admin_filling.fill()
    for file in sys.argv[1:]:
        say(admin_filling.publish(Path(file), os.environ["ADMIN_SITE_TIKTOK"]))
    server = ThreadedWSGIServer(("127.0.0.1", 0), Quiet)
    server.set_app(StaticFilesHandler(get_wsgi_application()))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    say(f"http://127.0.0.1:{server.server_port}/admin/")
    sys.stdin.read()
    server.shutdown()


if __name__ == "__main__":
    main()
