"""The filters beside the list of uploads.

Rule: no filter reads the whole table to offer its choices.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from uploader.contrib.django import get_token_store
from uploader.contrib.django.models import Account, Upload
from uploader.journal import ENDED, State

if TYPE_CHECKING:
    Changes = QuerySet[Upload]

LOOKED_AT: Final = 500
"""So many of the latest errors tell which codes are offered."""
_SPANS: Final = {
    "hour": ("the last hour", 3600.0),
    "day": ("the last 24 hours", 86_400.0),
    "week": ("the last 7 days", 604_800.0),
    "month": ("the last 30 days", 2_592_000.0),
}


class StateFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        yield "open", "not ended"
        for state in State:
            yield str(state), str(state)

    def queryset(self, request: HttpRequest, queryset: Changes) -> Changes | None:
        match self.value():
            case None:
                return None
            case "open":
                return queryset.exclude(state__in=sorted(ENDED))
            case state:
                return queryset.filter(state=state)


class TransportFilter(admin.SimpleListFilter):
    title = "destination"
    parameter_name = "transport"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        rows = model_admin.get_queryset(request)
        found = rows.order_by("transport").values_list("transport", flat=True).distinct()
        return [(name, name) for name in found]

    def queryset(self, request: HttpRequest, queryset: Changes) -> Changes | None:
        return queryset.filter(transport=self.value()) if self.value() else None


class AccountFilter(admin.SimpleListFilter):
    """A field to write the account's name in: there may be thousands of them."""

    title = "account"
    parameter_name = "account"
    template = "admin/mmap_uploader/account_filter.html"
    most = 300
    """Accounts that the field suggests."""

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        accounts = Account.objects.using(get_token_store().alias)
        known = accounts.exclude(sealed=None).order_by("account")
        names = known.values_list("account", flat=True)[: self.most]
        return [("", ""), *((name, name) for name in dict.fromkeys(names))]

    def choices(self, changelist: Any) -> Iterator[Any]:
        params = changelist.get_filters_params()
        yield {
            "value": self.value() or "",
            "suggested": [name for name, _ in self.lookup_choices if name],
            "others": [(k, v) for k, each in params.items() for v in each if k != "account"],
            "query_string": changelist.get_query_string(remove=[self.parameter_name]),
        }

    def queryset(self, request: HttpRequest, queryset: Changes) -> Changes | None:
        return queryset.filter(account=self.value()) if self.value() else None


class ErrorFilter(admin.SimpleListFilter):
    title = "error code"
    parameter_name = "code"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        rows = model_admin.get_queryset(request).exclude(error=None)
        told = rows.order_by("-id").values_list("error", flat=True)
        codes: set[str] = set()
        for error in told[:LOOKED_AT]:
            codes |= set(_codes(json.loads(error or "{}")))
        return [(code, code) for code in sorted(codes)]

    def queryset(self, request: HttpRequest, queryset: Changes) -> Changes | None:
        code = self.value()
        # In JSON a whole string stands between quotes, and no quote within a string is bare.
        return queryset.filter(error__contains=json.dumps(code)) if code else None


class TimeFilter(admin.SimpleListFilter):
    title = "time of the last change"
    parameter_name = "changed"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        yield from ((name, words) for name, (words, _) in _SPANS.items())
        yield "stuck", "not ended, unchanged for an hour"

    def queryset(self, request: HttpRequest, queryset: Changes) -> Changes | None:
        now = time.time()
        match self.value():
            case "stuck":
                return queryset.filter(~Q(state__in=sorted(ENDED)), updated__lt=now - 3600)
            case str(name) if name in _SPANS:
                return queryset.filter(updated__gte=now - _SPANS[name][1])
        return None


def _codes(error: dict[str, Any]) -> Iterator[str]:
    """Name the codes of an error: the destination's word where it has one, else ours."""
    last = error.get("last")
    if isinstance(last, dict):
        yield from _codes(last)
    word = error.get("vendor_code") or error.get("code")
    if word:
        yield str(word)
