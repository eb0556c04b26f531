"""A site with the admin on, in a process of its own: `tests.django.admin_site` serves it."""

import os
from typing import Any

SECRET_KEY = "for tests alone, and long enough that Django's own checks take it for a key"
USE_TZ = True
TIME_ZONE = "Europe/Berlin"
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1"]
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "uploader.contrib.django",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
ROOT_URLCONF = "tests.django.admin_urls"
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
DATABASES: dict[str, dict[str, Any]] = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ.get("ADMIN_SITE_DATABASE", ":memory:"),
        "OPTIONS": {"transaction_mode": "IMMEDIATE", "timeout": 20},
    }
}
if "ADMIN_SITE_JOURNAL" in os.environ:  # beside the site's own, without a router
    DATABASES["default"]["ATOMIC_REQUESTS"] = True
    DATABASES["uploads"] = {**DATABASES["default"], "NAME": os.environ["ADMIN_SITE_JOURNAL"]}
STATIC_URL = "static/"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
UPLOADER: dict[str, Any] = {"CREDENTIALS": "tests.django.admin_site.token", "METRICS": False}
if "uploads" in DATABASES:
    UPLOADER["JOURNAL"] = "uploads"
