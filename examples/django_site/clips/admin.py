"""Clips in the admin, each beside its upload."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from clips.models import Clip

if TYPE_CHECKING:
    Base = admin.ModelAdmin[Clip]
else:
    Base = admin.ModelAdmin


@admin.register(Clip)
class ClipAdmin(Base):
    list_display = ("title", "account", "outcome", "created", "upload")
    list_filter = ("outcome", "account")
    readonly_fields = ("upload_id", "outcome", "trouble")

    @admin.display(description="upload")
    def upload(self, clip: Clip) -> SafeString | str:
        """Lead to the upload's page."""
        page = reverse("admin:mmap_uploader_upload_changelist")
        return format_html('<a href="{}?q={}">{}</a>', page, clip.upload_id, clip.upload_id)
