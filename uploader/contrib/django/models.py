"""The tables: uploads and their parts, accounts and their sealed tokens, pauses.

Rule: a later migration adds tables and nullable columns only, so that a release and the one before
share a database. Times are seconds since the epoch by the database's clock; `..._at` gives them as
aware datetimes. What is not a number or a text of its own is JSON in a text column: a `jsonb` would
refuse what file names may hold. Rows are the journal's to write: change them through it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import ClassVar

from django.db import models

from uploader.contrib.django.columns import AnyTextField

ID = 64
"""Characters of an upload's id; ours have 16."""
NAME = 100
"""Characters of a transport's name."""
TEXT = 255
"""Characters of what is indexed: every database can index that many."""


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


class Upload(models.Model):
    """One upload, as `uploader.journal.Entry` has it; written by `DjangoJournal` alone.

    `standing` repeats the identity while this is the entry that keeps another one of it from
    starting. It is unique: of several that are recorded at once one wins.
    """

    id = models.BigAutoField(primary_key=True)
    upload_id = models.CharField(max_length=ID, unique=True)
    identity = models.CharField(max_length=TEXT)
    standing = models.CharField(max_length=TEXT, unique=True, null=True)
    transport = models.CharField(max_length=NAME)
    account = AnyTextField(null=True)
    key = AnyTextField(null=True)
    name = AnyTextField()
    source = AnyTextField(null=True)
    fingerprint = AnyTextField()
    digest = models.CharField(max_length=TEXT, null=True)
    content_type = AnyTextField()
    destination = models.TextField()
    size = models.BigIntegerField()
    part_size = models.BigIntegerField()
    part_count = models.BigIntegerField()
    session = models.TextField(null=True)
    sealed = models.TextField(null=True)
    session_created = models.FloatField(null=True)
    reference = models.CharField(max_length=TEXT, null=True)
    state = models.CharField(max_length=20)
    confirmed = models.BigIntegerField(default=0)
    location = AnyTextField(null=True)
    fields = models.TextField()
    error = models.TextField(null=True)
    created = models.FloatField()
    updated = models.FloatField()
    not_before = models.FloatField(null=True)
    not_after = models.FloatField(null=True)
    runs = models.IntegerField(default=0)
    lease_owner = models.CharField(max_length=TEXT, null=True)
    lease_holder = AnyTextField(null=True)
    lease_until = models.FloatField(default=0.0)
    fence = models.BigIntegerField(default=0)

    objects: ClassVar[models.Manager[Upload]] = models.Manager()

    class Meta:
        default_permissions = ("view",)
        permissions: ClassVar[list[tuple[str, str]]] = [
            ("resume_upload", "Can resume uploads"),
            ("resolve_upload", "Can find out, and say, how uploads stand"),
            ("cancel_upload", "Can cancel uploads"),
            ("repost_upload", "Can post uploads again"),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["identity"], name="mmap_uploader_identity"),
            models.Index(fields=["state", "updated"], name="mmap_uploader_state"),
            models.Index(fields=["transport", "reference"], name="mmap_uploader_reference"),
        ]

    def __str__(self) -> str:
        return self.upload_id

    @property
    def created_at(self) -> datetime | None:
        return _moment(self.created)

    @property
    def updated_at(self) -> datetime | None:
        return _moment(self.updated)

    @property
    def not_before_at(self) -> datetime | None:
        return _moment(self.not_before)

    @property
    def not_after_at(self) -> datetime | None:
        return _moment(self.not_after)


class Part(models.Model):
    """A part that is proved to be stored: the digest of what was sent of it, and its receipt."""

    id = models.BigAutoField(primary_key=True)
    upload_id: str
    upload = models.ForeignKey(
        Upload, models.CASCADE, to_field="upload_id", related_name="parts", db_index=False
    )
    number = models.BigIntegerField()
    digest = models.CharField(max_length=TEXT, null=True)
    receipt = models.TextField()

    objects: ClassVar[models.Manager[Part]] = models.Manager()

    class Meta:
        default_permissions = ()
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["upload", "number"], name="mmap_uploader_part_number")
        ]

    def __str__(self) -> str:
        return f"{self.upload_id} {self.number}"


class Account(models.Model):
    """The tokens of one account, sealed; written by `DjangoTokenStore` alone.

    `place` is a digest of transport and account: names may be of any length, and databases compare
    them each in its own way. Of tokens that were removed the row stays, with `sealed` NULL and the
    number of their version.
    """

    id = models.BigAutoField(primary_key=True)
    place = models.CharField(max_length=ID, unique=True)
    transport = models.CharField(max_length=NAME)
    account = AnyTextField()
    version = models.BigIntegerField(default=0)
    sealed = models.TextField(null=True)
    state = models.CharField(max_length=20, null=True)
    reason = AnyTextField(null=True)
    subject = AnyTextField(null=True)
    scopes = models.TextField(null=True)
    fields = models.TextField(null=True)
    expires = models.FloatField(null=True)
    refresh_expires = models.FloatField(null=True)
    updated = models.FloatField(null=True)
    lease_owner = models.CharField(max_length=TEXT, null=True)
    lease_until = models.FloatField(default=0.0)

    objects: ClassVar[models.Manager[Account]] = models.Manager()

    class Meta:
        default_permissions = ("view",)

    def __str__(self) -> str:
        return f"{self.transport} {self.account}"

    @property
    def expires_at(self) -> datetime | None:
        return _moment(self.expires)

    @property
    def refresh_expires_at(self) -> datetime | None:
        return _moment(self.refresh_expires)

    @property
    def updated_at(self) -> datetime | None:
        return _moment(self.updated)


class Pause(models.Model):
    """What is not to be driven for now: a transport, an account of it, or everything.

    Transport and account may be NULL for all of them. `place` is a digest of both, `by_place` of
    both and of who paused, which is unique. From `trial` on one upload is let through all the same.
    """

    id = models.BigAutoField(primary_key=True)
    place = models.CharField(max_length=ID, db_index=True)
    by_place = models.CharField(max_length=ID, unique=True)
    transport = models.CharField(max_length=NAME, null=True)
    account = AnyTextField(null=True)
    reason = AnyTextField()
    since = models.FloatField()
    until = models.FloatField(null=True)
    by = AnyTextField()
    trial = models.FloatField(null=True)

    objects: ClassVar[models.Manager[Pause]] = models.Manager()

    class Meta:
        default_permissions = ("view", "add", "delete")

    def __str__(self) -> str:
        return " ".join(filter(None, (self.transport, self.account))) or "everything"

    @property
    def since_at(self) -> datetime | None:
        return _moment(self.since)

    @property
    def until_at(self) -> datetime | None:
        return _moment(self.until)


class Mark(models.Model):
    """What the journal knows of itself: its environment, and the key of its stand-ins, sealed."""

    name = models.CharField(max_length=NAME, primary_key=True)
    value = models.TextField()

    objects: ClassVar[models.Manager[Mark]] = models.Manager()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.name
