"""Settings of a site on one machine; what `run.py` starts beside it, the environment tells."""

import os
from pathlib import Path

BASE_DIR = Path(__file__).parent.parent
VAR = Path(os.environ.get("STUDIO_VAR", BASE_DIR / "var"))

_SECRET = VAR / "secret"  # made by `run.py`; it also seals what the journal keeps secret
SECRET_KEY = _SECRET.read_text() if _SECRET.exists() else "only for a look at the commands"
DEBUG = True
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
USE_TZ = True
TIME_ZONE = "UTC"

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "uploader.contrib.django",
    "clips",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "studio.urls"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": VAR / "site.db",
        # A site, its workers and their journal write to one file: each waits for the others.
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode = WAL",
        },
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
STATIC_URL = "static/"
MEDIA_ROOT = VAR / "media"
FILE_UPLOAD_TEMP_DIR = VAR  # of the same file system as MEDIA_ROOT: what came is moved, not copied

CELERY_BROKER_URL = os.environ.get("STUDIO_BROKER", "redis://127.0.0.1:6379/0")
# A message that is not acknowledged comes back after so long: longer than a shift takes.
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 3600}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True

# TikTok, or the stand-in that `run.py` has started.
TIKTOK_URL = os.environ.get("STUDIO_TIKTOK_URL", "https://open.tiktokapis.com")

UPLOADER = {
    # What somebody lets go on in the admin goes to the workers, too. The accounts' app is known by
    # the variables TIKTOK_CLIENT_KEY and TIKTOK_CLIENT_SECRET; their tokens are in the database.
    "DISPATCH": "uploader.contrib.celery.publish",
}
