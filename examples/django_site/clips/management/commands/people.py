"""`manage.py people`: two users for a first look, `admin` and `viewer`, who may only look."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Permission, User
from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = "Make the users admin and viewer, whose passwords are their names."

    def handle(self, *args: Any, **options: Any) -> None:
        if not User.objects.filter(username="admin").exists():
            User.objects.create_superuser("admin", password="admin")  # noqa: S106 - shown on purpose
        viewer, made = User.objects.get_or_create(username="viewer", is_staff=True)
        if made:
            viewer.set_password("viewer")
            viewer.save()
        viewer.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
