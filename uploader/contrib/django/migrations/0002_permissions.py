"""Who may do what in the admin: a permission for each thing that can be done, none to edit rows."""

from __future__ import annotations

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("mmap_uploader", "0001_initial")]

    operations = [
        migrations.AlterModelOptions(
            name="upload",
            options={
                "default_permissions": ("view",),
                "permissions": [
                    ("resume_upload", "Can resume uploads"),
                    ("resolve_upload", "Can find out, and say, how uploads stand"),
                    ("cancel_upload", "Can cancel uploads"),
                    ("repost_upload", "Can post uploads again"),
                ],
            },
        ),
        migrations.AlterModelOptions(name="part", options={"default_permissions": ()}),
        migrations.AlterModelOptions(name="account", options={"default_permissions": ("view",)}),
        migrations.AlterModelOptions(
            name="pause", options={"default_permissions": ("view", "add", "delete")}
        ),
        migrations.AlterModelOptions(name="mark", options={"default_permissions": ()}),
    ]
