"""The Django app: label `mmap_uploader`, to be listed as "uploader.contrib.django"."""

from __future__ import annotations

from django.apps import AppConfig


class UploaderConfig(AppConfig):
    """Tables of the journal and of accounts, admin, commands and checks."""

    name = "uploader.contrib.django"
    label = "mmap_uploader"
    verbose_name = "Uploads"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # Checks are found when their module is imported.
        from uploader.contrib.django import checks
        from uploader.contrib.django.files import FieldFiles
        from uploader.source import references

        del checks
        references.register(FieldFiles())
