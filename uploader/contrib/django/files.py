"""Files of model fields as sources, in whatever storage they lie.

Rule: a reference names the model's field and the name in its storage, so that another process and
another machine find the same file. A local storage gives its path, which is mapped; a file of any
other one is copied to a temporary file by who sends it.
"""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.core.exceptions import FieldDoesNotExist, SuspiciousOperation
from django.db.models.fields.files import FieldFile

from uploader.errors import SourceError


class FieldFiles:
    """What `references.register` is given: "django:<app>.<Model>.<field>:<name>"."""

    scheme = "django"

    def refer(self, source: Any) -> str | None:
        if not isinstance(source, FieldFile):
            return None
        label = source.field.model._meta.label
        if not source.name:
            raise SourceError(f"the field {label}.{source.field.name} has no file")
        # What was assigned and not saved is in no storage yet.
        if not getattr(source, "_committed", True):
            return None
        return f"{label}.{source.field.name}:{source.name}"

    def find(self, name: str) -> Any:
        place, _, stored = name.partition(":")
        label, _, field = place.rpartition(".")
        try:
            storage: Any = apps.get_model(label)._meta.get_field(field).storage
        except (LookupError, ValueError, FieldDoesNotExist, AttributeError):
            raise SourceError(f"this project has no file field {place}").hint(
                f"it was renamed, or another project recorded the upload of {stored}"
            ) from None
        try:
            return _opened(storage, stored)
        except FileNotFoundError:
            raise SourceError(f"the storage of {place} has no file {stored}") from None
        except (OSError, SuspiciousOperation) as error:
            raise SourceError(f"the storage of {place} does not give {stored}: {error}") from None


def _opened(storage: Any, name: str) -> Any:
    try:
        return storage.path(name)
    except NotImplementedError:
        return storage.open(name, "rb")
