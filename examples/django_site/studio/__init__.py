"""A site whose users publish clips."""

from studio.celery import app

__all__ = ["app"]
