"""`manage.py connect NAME…`: log TikTok accounts in, and keep their tokens in the database."""

from __future__ import annotations

import os
import threading
import urllib.request
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from transports.tiktok.accounts import TikTokAccounts
from uploader.contrib.django import get_token_store


class Command(BaseCommand):
    help = "Log accounts in. A stand-in on this machine agrees at once; else open the page shown."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("names", nargs="+", help="what the accounts are called here")

    def handle(self, *args: Any, names: list[str], **options: Any) -> None:
        accounts = TikTokAccounts(
            get_token_store(),
            os.environ["TIKTOK_CLIENT_KEY"],
            os.environ["TIKTOK_CLIENT_SECRET"],
            base_url=settings.TIKTOK_URL,
        )
        for name in names:
            if _is_stand_in() and get_token_store().get("tiktok", name) is not None:
                accounts.remove(name)  # each one has users of its own, and knows no earlier one's
            saved = accounts.login(name, show=self._visit)
            self.stdout.write(f"{saved.account} has logged in")

    def _visit(self, page: str) -> None:
        if _is_stand_in():
            # The page leads back to this process, which listens once this returns.
            threading.Thread(target=_open, args=(page,), daemon=True).start()
        else:
            self.stdout.write(f"Log in and agree on this page: {page}")


def _is_stand_in() -> bool:
    return str(settings.TIKTOK_URL).startswith("http://127.0.0.1")


def _open(page: str) -> None:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    direct.open(page).close()
