"""The accounts that have logged in, without their tokens."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString

from uploader.cli.explain import meaning_of
from uploader.contrib.django import get_token_store, get_uploader, orders
from uploader.contrib.django.admin import shown
from uploader.contrib.django.admin.readonly import ReadOnlyAdmin
from uploader.contrib.django.models import Account
from uploader.tokens import AccountState

Rows = QuerySet[Account]


class Accounts(ChangeList):
    """The rows of one page of the list, which know what is paused."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        pauses = get_uploader().journal.pauses()
        for row in self.result_list:
            row.pauses = pauses


class AccountAdmin(ReadOnlyAdmin):
    """Whose consent there is, and until when."""

    list_display = (
        "who", "transport", "standing_now", "access_until", "consent_until", "uploads",
    )  # fmt: skip
    list_display_links = ("who",)
    list_filter = ("state", "transport")
    search_fields = ("account", "subject")
    ordering = ("transport", "id")
    fields = (
        "who", "transport", "standing_now", "subject", "granted", "access_until", "consent_until",
        "changed", "uploads",
    )  # fmt: skip
    readonly_fields = fields
    actions: ClassVar[list[str]] = ["pause", "unpause"]  # type: ignore[misc]

    @property
    def alias(self) -> str:
        return get_token_store().alias

    def get_queryset(self, request: HttpRequest) -> Rows:
        """Leave out what was removed, and never read what is sealed."""
        return super().get_queryset(request).exclude(sealed=None).defer("sealed")

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return Accounts

    @admin.display(description="account")
    def who(self, row: Account) -> str:
        return shown.text(row.account)

    @admin.display(description="state", ordering="state")
    def standing_now(self, row: Account) -> SafeString:
        if row.state != AccountState.REVOKED:
            pauses = getattr(row, "pauses", None)
            if pauses is None:  # on an account's own page
                pauses = get_uploader().journal.pauses()
            paused = any(pause.covers(row.transport, row.account) for pause in pauses)
            return shown.badge(str(row.state), "paused" if paused else "")
        found = meaning_of(row.transport, {"code": "account_revoked", "vendor_code": row.reason})
        advice = " ".join(found.sentences) if found else shown.text(row.reason or "")
        return shown.badge(AccountState.REVOKED, advice)

    @admin.display(description="token ends", ordering="expires")
    def access_until(self, row: Account) -> str:
        return shown.ago(row.expires)

    @admin.display(description="consent ends", ordering="refresh_expires")
    def consent_until(self, row: Account) -> str:
        return shown.ago(row.refresh_expires)

    @admin.display(description="changed", ordering="updated")
    def changed(self, row: Account) -> str:
        return shown.ago(row.updated)

    @admin.display(description="scopes")
    def granted(self, row: Account) -> str:
        return shown.text(", ".join(json.loads(row.scopes or "[]"))) or shown.NOTHING

    @admin.display(description="uploads")
    def uploads(self, row: Account) -> SafeString:
        page = reverse("admin:mmap_uploader_upload_changelist", current_app=self.admin_site.name)
        query = urlencode({"transport": row.transport, "account": row.account})
        return format_html('<a href="{}?{}">show</a>', page, query)

    @admin.action(description="Pause", permissions=["pause"])
    def pause(self, request: HttpRequest, rows: Rows) -> None:
        by = request.user.get_username()
        for row in rows:
            orders.pause(get_uploader(), row.transport, row.account, "paused in the admin", by)
            self._told(request, row, "is paused")

    @admin.action(description="Lift the pause", permissions=["unpause"])
    def unpause(self, request: HttpRequest, rows: Rows) -> None:
        for row in rows:
            count = get_uploader().journal.unpause(row.transport, row.account)
            self._told(request, row, "goes on" if count else "was not paused by itself")

    def _told(self, request: HttpRequest, row: Account, what: str) -> None:
        self.message_user(request, f"{shown.text(row.account)} {what}", messages.SUCCESS)
        self.log_change(request, row, what)
