"""What all pages of the journal's tables have in common: they are looked at, not edited."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from django.contrib import admin
from django.db import connections, transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from uploader.contrib.django.running import journal_alias

if TYPE_CHECKING:
    Base = admin.ModelAdmin[Any]
else:
    Base = admin.ModelAdmin
View = TypeVar("View", bound=Callable[..., HttpResponse])


def in_no_transaction(view: View) -> View:
    """Keep ATOMIC_REQUESTS of any database off a view: orders are the journal's to commit."""
    for alias in connections:
        transaction.non_atomic_requests(using=alias)(view)
    return view


class ReadOnlyAdmin(Base):
    """Rows that the journal alone writes."""

    actions_selection_counter = True
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    list_per_page = 50

    class Media:
        css: ClassVar[dict[str, list[str]]] = {"all": ["mmap_uploader/admin.css"]}

    @property
    def alias(self) -> str:
        """The database that the rows are in, whatever the project's routers say."""
        return journal_alias()

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).using(self.alias)

    @in_no_transaction
    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        title = str(self.opts.verbose_name_plural).capitalize()
        return super().changelist_view(request, {"title": title, **(extra_context or {})})

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def may(self, request: HttpRequest, what: str) -> bool:
        """Whether the user has one of this app's permissions, such as `resume_upload`."""
        user: Any = request.user
        return bool(user.has_perm(f"{self.opts.app_label}.{what}"))

    def has_pause_permission(self, request: HttpRequest) -> bool:
        return self.may(request, "add_pause")

    def has_unpause_permission(self, request: HttpRequest) -> bool:
        return self.may(request, "delete_pause")
