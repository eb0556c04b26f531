"""What is paused, by whom and why; a pause is begun and lifted through the journal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.widgets import AdminSplitDateTime
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import method_decorator
from django.views.decorators.csrf import csrf_protect

from uploader import registry
from uploader.contrib.django import get_uploader
from uploader.contrib.django.admin import shown
from uploader.contrib.django.admin.readonly import ReadOnlyAdmin, in_no_transaction
from uploader.contrib.django.models import Pause
from uploader.journal import Pause as PauseRecord

if TYPE_CHECKING:
    Form = forms.ModelForm[Pause]
else:
    Form = forms.ModelForm


class PauseForm(Form):
    """A new pause; what is left open stands for all."""

    transport = forms.ChoiceField(required=False, label="Destination")
    account = forms.CharField(required=False, help_text="Empty for every account.")
    reason = forms.CharField(
        help_text="For whoever finds uploads waiting.",
        max_length=200,
        widget=forms.TextInput({"class": "vLargeTextField"}),
    )
    until = forms.SplitDateTimeField(
        required=False, widget=AdminSplitDateTime, help_text="Empty until somebody lifts it."
    )

    class Meta:
        model = Pause
        fields: Sequence[str] = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        names = [(name, name) for name in registry.names()]
        self.fields["transport"].choices = [("", "every destination"), *names]  # type: ignore[attr-defined]


class PauseAdmin(ReadOnlyAdmin):
    """Pauses are added and deleted, never changed."""

    form = PauseForm
    list_display = ("what", "account_name", "reason", "by", "began", "ends")
    fields = ("transport", "account", "reason", "until")
    ordering = ("since",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.has_pause_permission(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_unpause_permission(request)

    def get_fields(self, request: HttpRequest, obj: Pause | None = None) -> tuple[str, ...]:
        if obj is None:
            return self.fields
        return ("what", "account_name", "reason", "by", "began", "ends")

    def get_readonly_fields(
        self, request: HttpRequest, obj: Pause | None = None
    ) -> tuple[str, ...]:
        return () if obj is None else self.get_fields(request, obj)

    @in_no_transaction
    @method_decorator(csrf_protect)
    def add_view(
        self,
        request: HttpRequest,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Pause through the journal; the admin's own way is a transaction, which it never joins."""
        if request.method == "POST" and self.has_add_permission(request):
            form = self.get_form(request)(request.POST)
            if form.is_valid():
                self._begin(request, form.cleaned_data)
                return self.response_post_save_add(request, Pause())
        return super().add_view(request, form_url, extra_context)

    def delete_model(self, request: HttpRequest, obj: Pause) -> None:
        def lift() -> None:
            get_uploader().journal.unpause(obj.transport, obj.account, by=obj.by)

        transaction.on_commit(lift, using=self.alias)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Pause]) -> None:
        for pause in queryset:
            self.delete_model(request, pause)

    def _begin(self, request: HttpRequest, told: Mapping[str, Any]) -> None:
        up, until = get_uploader(), told["until"]
        pause = PauseRecord(
            told["transport"] or None,
            told["account"] or None,
            told["reason"],
            since=up.now(),
            until=None if until is None else until.timestamp(),
            by=request.user.get_username(),
        )
        up.journal.pause(pause)
        row = (
            self.get_queryset(request)
            .filter(transport=pause.transport, account=pause.account, by=pause.by)
            .latest("id")
        )
        self.log_addition(request, row, pause.reason)
        self.message_user(request, f"{row} is paused", messages.SUCCESS)

    @admin.display(description="destination", ordering="transport")
    def what(self, row: Pause) -> str:
        return row.transport or "every destination"

    @admin.display(description="account", ordering="account")
    def account_name(self, row: Pause) -> str:
        return "every account" if row.account is None else shown.text(row.account)

    @admin.display(description="since", ordering="since")
    def began(self, row: Pause) -> str:
        return shown.ago(row.since)

    @admin.display(description="until", ordering="until")
    def ends(self, row: Pause) -> str:
        return "lifted" if row.until is None else shown.ago(row.until)
