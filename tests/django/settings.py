"""The settings of the project that the tests live in; a child is told of database and media."""

import json
import os
from typing import Any

SECRET_KEY = "for tests alone, and long enough that Django's own checks take it for a key"
USE_TZ = True
TIME_ZONE = "Europe/Berlin"
INSTALLED_APPS = ["uploader.contrib.django", "tests.django.films"]
UPLOADER = {"METRICS": False}
DATABASES: dict[str, dict[str, Any]] = {
    "default": json.loads(os.environ.get("TEST_DATABASE", "null"))
    or {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}
}
MEDIA_ROOT = os.environ.get("TEST_MEDIA", "")
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LOGGING_CONFIG = None
