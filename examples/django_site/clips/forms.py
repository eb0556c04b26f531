"""The form by which a clip is handed in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms

from clips.models import Clip
from uploader.contrib.django.models import Account

if TYPE_CHECKING:
    Form = forms.ModelForm[Clip]
else:
    Form = forms.ModelForm


class ClipForm(Form):
    """A clip for one of the accounts that have logged in."""

    account = forms.ChoiceField()

    class Meta:
        model = Clip
        fields = ("title", "account", "file")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        known = Account.objects.filter(transport="tiktok", state="active").order_by("id")
        names = known.values_list("account", flat=True)
        self.fields["account"].choices = [(name, name) for name in names]  # type: ignore[attr-defined]
        self.fields["file"].widget.attrs["accept"] = "video/mp4,video/quicktime,video/webm"
