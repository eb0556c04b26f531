"""`manage.py uploader …`: the command `uploader` over the site's journal, accounts and credentials.

Rule: its words and exit codes are the command's own; nothing is said twice.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connections

from uploader.cli.app import run
from uploader.cli.host import Host, inside
from uploader.contrib.django.running import close, get_settings, get_token_store


class Command(BaseCommand):
    """Hand all words over."""

    help = "The command `uploader` over this site's uploads: list, show, resume, resolve, prune …"

    def run_from_argv(self, argv: list[str]) -> None:
        """Take the words before Django reads its own options from them."""
        try:
            code = self.hand_over(argv[2:])
        finally:
            close()
            connections.close_all()
        sys.exit(code)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("words", nargs=argparse.REMAINDER)

    def handle(self, *args: Any, words: list[str], **options: Any) -> None:
        """Serve `call_command("uploader", "list", "--json")`."""
        code = self.hand_over(words)
        if code:
            raise CommandError(
                f"uploader {' '.join(words)} ended with code {code}", returncode=code
            )

    def hand_over(self, words: list[str]) -> int:
        """Run the command inside of the site and return its exit code."""
        settings = get_settings()
        host = Host(
            command=f"python {Path(sys.argv[0]).name} uploader",
            place=f"the database {settings['journal'].alias!r}",
            journal=settings["journal"],
            tokens=get_token_store(),
            credentials=settings["credentials"],
            settings=settings,
        )
        with inside(host):
            return run(words)
