"""A clip, and the upload that carries it to TikTok."""

from __future__ import annotations

from typing import ClassVar

from django.db import models


class Clip(models.Model):
    """One clip for one account.

    `upload_id` is its upload in the journal, whose key is `key`; `outcome` is how that ended, as
    the signals told.
    """

    title = models.CharField(max_length=150)
    file = models.FileField(upload_to="clips/")
    account = models.CharField(max_length=50)
    upload_id = models.CharField(max_length=64, blank=True, db_index=True)
    outcome = models.CharField(max_length=20, blank=True)
    trouble = models.CharField(max_length=300, blank=True)
    created = models.DateTimeField(auto_now_add=True)

    objects: ClassVar[models.Manager[Clip]] = models.Manager()

    class Meta:
        ordering: ClassVar[list[str]] = ["-id"]

    def __str__(self) -> str:
        return self.title

    @property
    def key(self) -> str:
        """The upload's name in the journal: one clip is one post, whatever is tried again."""
        return f"clip:{self.pk}"
