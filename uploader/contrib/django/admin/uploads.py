"""The list of uploads, and the page of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.models import LogEntry
from django.contrib.admin.options import get_content_type_for_model
from django.contrib.admin.utils import unquote
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from uploader.contrib.django import get_uploader
from uploader.contrib.django.admin import filters, pages, shown
from uploader.contrib.django.admin.ordering import Ordering
from uploader.contrib.django.models import Upload
from uploader.journal import Entry

Rows = QuerySet[Upload]
UNLISTED = ("session", "sealed", "destination", "fields", "fingerprint", "digest", "source")


class Lines(ChangeList):
    """The rows of one page of the list, with what is told of each."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        pauses = get_uploader().journal.pauses()
        for row in self.result_list:
            row.line = pages.line(row, pauses)


class UploadAdmin(Ordering):
    """Uploads, as the journal has them."""

    list_display = (
        "what",
        "standing_now",
        "where",
        "progress",
        "age",
        "trouble",
    )
    list_display_links = ("what",)
    list_filter = (
        filters.StateFilter,
        filters.TransportFilter,
        filters.AccountFilter,
        filters.ErrorFilter,
        filters.TimeFilter,
    )
    search_fields = ("name", "upload_id", "reference")
    search_help_text = "A file's name, how an id begins, the destination's id, or a key"
    ordering = ("-id",)

    def get_queryset(self, request: HttpRequest) -> Rows:
        return super().get_queryset(request).defer(*UNLISTED)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return Lines

    def get_search_results(
        self, request: HttpRequest, queryset: Rows, search_term: str
    ) -> tuple[Rows, bool]:
        """Look for a name anywhere in it, and for ids from their beginning on."""
        term = search_term.strip()
        if not term:
            return queryset, False
        ids = Q(upload_id__startswith=term.lower()) | Q(reference__startswith=term)
        return queryset.filter(ids | Q(name__icontains=term) | Q(key=term)), False

    # What the list shows.

    @admin.display(description="upload", ordering="name")
    def what(self, row: Any) -> SafeString:
        name = shown.text(row.name) or "(a stream)"
        return format_html('{}<br><span class="up-note up-mono">{}</span>', name, row.upload_id)

    @admin.display(description="state", ordering="state")
    def standing_now(self, row: Any) -> SafeString:
        return shown.badge(row.state, row.line.note)

    @admin.display(description="to", ordering="transport")
    def where(self, row: Any) -> SafeString:
        account = shown.NOTHING if row.account is None else shown.text(row.account)
        return format_html('{}<br><span class="up-note">{}</span>', account, row.transport)

    @admin.display(description="confirmed")
    def progress(self, row: Any) -> SafeString:
        return shown.bar(row.line.confirmed, row.size)

    @admin.display(description="age", ordering="created")
    def age(self, row: Any) -> SafeString:
        return shown.age(row.created, row.updated)

    @admin.display(description="what is wrong", empty_value=shown.NOTHING)
    def trouble(self, row: Any) -> SafeString | None:
        told = row.line.trouble
        if told is None:
            return None
        return format_html('{} <span class="up-note">{}</span>', told.says, told.advice)

    # One upload's page.

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        row = self.get_object(request, unquote(object_id))
        if row is None:
            return self._gone(request)
        if not self.has_view_permission(request, row):
            raise PermissionDenied
        journal = get_uploader().journal
        entry = journal.get(row.upload_id)
        if entry is None:
            return self._gone(request)
        page = pages.page(entry, journal)
        context = {
            **self.admin_site.each_context(request),
            "title": shown.text(entry.name) or entry.upload_id,
            "subtitle": None,
            "opts": self.opts,
            "original": row,
            "object_id": object_id,
            "media": self.media,
            "page": page,
            "badge": shown.badge(entry.state),
            "bar": shown.bar(page.confirmed, entry.plan.size),
            "history": self._history(row, entry),
            "orders": self.orders_for(request, entry),
            **(extra_context or {}),
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, "admin/mmap_uploader/upload/page.html", context)

    def _gone(self, request: HttpRequest) -> HttpResponse:
        """Lead from an upload that the journal has no more to those that it has."""
        self.message_user(request, "The journal has this upload no more.", messages.WARNING)
        here = f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist"
        return HttpResponseRedirect(reverse(here, current_app=self.admin_site.name))

    def _history(self, row: Upload, entry: Entry) -> Sequence[dict[str, Any]]:
        """Return what the journal and the admin know of earlier times, the oldest first."""
        said = LogEntry.objects.filter(
            content_type=get_content_type_for_model(row), object_id=str(row.pk)
        ).select_related("user")
        lines = [(moment, what, "") for moment, what in pages.times(entry)] + [
            (each.action_time.timestamp(), each.get_change_message(), each.user.get_username())
            for each in said
        ]
        return [
            {"when": shown.clock(moment), "ago": shown.ago(moment), "what": what, "who": who}
            for moment, what, who in sorted(lines, key=lambda line: line[0])
        ]
