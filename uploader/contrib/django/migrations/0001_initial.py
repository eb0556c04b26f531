"""The first tables."""

from __future__ import annotations

import django.db.models.deletion
from django.db import migrations, models

import uploader.contrib.django.columns


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Account",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("place", models.CharField(max_length=64, unique=True)),
                ("transport", models.CharField(max_length=100)),
                ("account", uploader.contrib.django.columns.AnyTextField()),
                ("version", models.BigIntegerField(default=0)),
                ("sealed", models.TextField(null=True)),
                ("state", models.CharField(max_length=20, null=True)),
                ("reason", uploader.contrib.django.columns.AnyTextField(null=True)),
                ("subject", uploader.contrib.django.columns.AnyTextField(null=True)),
                ("scopes", models.TextField(null=True)),
                ("fields", models.TextField(null=True)),
                ("expires", models.FloatField(null=True)),
                ("refresh_expires", models.FloatField(null=True)),
                ("updated", models.FloatField(null=True)),
                ("lease_owner", models.CharField(max_length=255, null=True)),
                ("lease_until", models.FloatField(default=0.0)),
            ],
        ),
        migrations.CreateModel(
            name="Mark",
            fields=[
                ("name", models.CharField(max_length=100, primary_key=True, serialize=False)),
                ("value", models.TextField()),
            ],
        ),
        migrations.CreateModel(
            name="Pause",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("place", models.CharField(db_index=True, max_length=64)),
                ("by_place", models.CharField(max_length=64, unique=True)),
                ("transport", models.CharField(max_length=100, null=True)),
                ("account", uploader.contrib.django.columns.AnyTextField(null=True)),
                ("reason", uploader.contrib.django.columns.AnyTextField()),
                ("since", models.FloatField()),
                ("until", models.FloatField(null=True)),
                ("by", uploader.contrib.django.columns.AnyTextField()),
                ("trial", models.FloatField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name="Upload",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("upload_id", models.CharField(max_length=64, unique=True)),
                ("identity", models.CharField(max_length=255)),
                ("standing", models.CharField(max_length=255, null=True, unique=True)),
                ("transport", models.CharField(max_length=100)),
                ("account", uploader.contrib.django.columns.AnyTextField(null=True)),
                ("key", uploader.contrib.django.columns.AnyTextField(null=True)),
                ("name", uploader.contrib.django.columns.AnyTextField()),
                ("source", uploader.contrib.django.columns.AnyTextField(null=True)),
                ("fingerprint", uploader.contrib.django.columns.AnyTextField()),
                ("digest", models.CharField(max_length=255, null=True)),
                ("content_type", uploader.contrib.django.columns.AnyTextField()),
                ("destination", models.TextField()),
                ("size", models.BigIntegerField()),
                ("part_size", models.BigIntegerField()),
                ("part_count", models.BigIntegerField()),
                ("session", models.TextField(null=True)),
                ("sealed", models.TextField(null=True)),
                ("session_created", models.FloatField(null=True)),
                ("reference", models.CharField(max_length=255, null=True)),
                ("state", models.CharField(max_length=20)),
                ("confirmed", models.BigIntegerField(default=0)),
                ("location", uploader.contrib.django.columns.AnyTextField(null=True)),
                ("fields", models.TextField()),
                ("error", models.TextField(null=True)),
                ("created", models.FloatField()),
                ("updated", models.FloatField()),
                ("not_before", models.FloatField(null=True)),
                ("not_after", models.FloatField(null=True)),
                ("runs", models.IntegerField(default=0)),
                ("lease_owner", models.CharField(max_length=255, null=True)),
                ("lease_holder", uploader.contrib.django.columns.AnyTextField(null=True)),
                ("lease_until", models.FloatField(default=0.0)),
                ("fence", models.BigIntegerField(default=0)),
            ],
            options={
                "indexes": [
                    models.Index(fields=["identity"], name="mmap_uploader_identity"),
                    models.Index(fields=["state", "updated"], name="mmap_uploader_state"),
                    models.Index(fields=["transport", "reference"], name="mmap_uploader_reference"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Part",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("number", models.BigIntegerField()),
                ("digest", models.CharField(max_length=255, null=True)),
                ("receipt", models.TextField()),
                (
                    "upload",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="parts",
                        to="mmap_uploader.upload",
                        to_field="upload_id",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("upload", "number"), name="mmap_uploader_part_number"
                    )
                ],
            },
        ),
    ]
