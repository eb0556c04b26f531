"""The settings of the project that the tests live in: nothing but the app."""

from typing import Any

SECRET_KEY = "for tests alone, and long enough that Django's own checks take it for a key"
USE_TZ = True
TIME_ZONE = "Europe/Berlin"
INSTALLED_APPS = ["uploader.contrib.django"]
DATABASES: dict[str, dict[str, Any]] = {
    "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}
}
LOGGING_CONFIG = None
