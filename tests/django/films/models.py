"""A film, here or far away."""

from typing import Any

from django.core.files.storage import FileSystemStorage
from django.db import models


class FarAway(FileSystemStorage):
    """A storage whose files have no path, as one on S3."""

    def path(self, name: str) -> str:
        raise NotImplementedError

    def _where(self, name: str) -> str:
        return super().path(name)

    def _open(self, name: str, mode: str = "rb") -> Any:
        with open(self._where(name), mode) as file:  # noqa: PTH123
            return Unseen(file.read(), name)

    def _save(self, name: str, content: Any) -> str:
        return FileSystemStorage(self.location).save(name, content)

    def exists(self, name: str) -> bool:
        return False


class Unseen:
    """An open file without a descriptor."""

    def __init__(self, content: bytes, name: str) -> None:
        self._content = memoryview(content)
        self.name = name
        self.closed = False

    def read(self, size: int = -1) -> bytes:
        size = len(self._content) if size < 0 else size
        given, self._content = self._content[:size], self._content[size:]
        return bytes(given)

    def close(self) -> None:
        self.closed = True


class Film(models.Model):
    """Two files of it."""

    here: Any = models.FileField()
    there: Any = models.FileField(storage=FarAway())

    class Meta:
        app_label = "films"
