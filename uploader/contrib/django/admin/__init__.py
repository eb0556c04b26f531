"""The admin's pages: uploads, accounts, pauses.

Rule: nobody edits a row. What can be done is an order that goes through the journal, each with a
permission of its own; no page shows a secret, and what posts is asked twice.
"""

from __future__ import annotations

from django.contrib import admin

from uploader.contrib.django.admin.accounts import AccountAdmin
from uploader.contrib.django.admin.pauses import PauseAdmin
from uploader.contrib.django.admin.uploads import UploadAdmin
from uploader.contrib.django.models import Account, Pause, Upload

admin.site.register(Upload, UploadAdmin)
admin.site.register(Account, AccountAdmin)
admin.site.register(Pause, PauseAdmin)

__all__ = ["AccountAdmin", "PauseAdmin", "UploadAdmin"]
