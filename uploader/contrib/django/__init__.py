"""The uploader in a Django project: journal and tokens in its database, set by `UPLOADER`.

    UPLOADER = {"JOURNAL": "default"}

    from uploader.contrib.django import enqueue, get_uploader

Rule: importing this needs no configured Django and no loaded app; models load on first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from uploader.contrib.django.enqueueing import enqueue
    from uploader.contrib.django.journal import DjangoJournal
    from uploader.contrib.django.running import close, get_token_store, get_uploader
    from uploader.contrib.django.store import DjangoTokenStore

__all__ = [
    "DjangoJournal",
    "DjangoTokenStore",
    "close",
    "enqueue",
    "get_token_store",
    "get_uploader",
]
_PLACES = {
    "DjangoJournal": "journal",
    "DjangoTokenStore": "store",
    "close": "running",
    "enqueue": "enqueueing",
    "get_token_store": "running",
    "get_uploader": "running",
}


def __getattr__(name: str) -> Any:
    if name in _PLACES:
        _refuse_uninstalled()
        return getattr(importlib.import_module(f"{__name__}.{_PLACES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _refuse_uninstalled() -> None:
    from django.apps import apps

    if apps.ready and not apps.is_installed(__name__):
        from uploader.errors import ConfigurationError

        raise ConfigurationError(f"INSTALLED_APPS does not list {__name__!r}").hint(
            "add it, then: python manage.py migrate mmap_uploader"
        )
