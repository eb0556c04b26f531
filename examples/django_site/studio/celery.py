"""What works on the uploads: `celery -A studio worker --beat`."""

import os

from celery import Celery

from uploader.contrib.celery import install

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "studio.settings")

app = Celery("studio")
app.config_from_object("django.conf:settings", namespace="CELERY")
install(app, sweep_every=10, watch_every=2)
