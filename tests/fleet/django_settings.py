"""The settings of the Django project whose journal a fleet shares; variables say where it is."""

import json
import os
from typing import Any

SECRET_KEY = "for tests alone, and long enough that Django's own checks take it for a key"
USE_TZ = True
INSTALLED_APPS = ["uploader.contrib.django"]
DATABASES: dict[str, dict[str, Any]] = {"default": json.loads(os.environ["FLEET_DATABASE"])}
UPLOADER = {
    "CREDENTIALS": "tests.fleet.scene.token",
    "LIMITS": os.environ["FLEET_LIMITS"],
    "METRICS": False,
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LOGGING_CONFIG = None
