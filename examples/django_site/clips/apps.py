"""The app, which listens to how uploads end."""

from django.apps import AppConfig


class ClipsConfig(AppConfig):
    name = "clips"

    def ready(self) -> None:
        from clips import receivers

        receivers.connect()
