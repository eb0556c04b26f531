"""Films of a project's models, uploaded from where they lie, by this process and by others."""

import hashlib
import os
from pathlib import Path
from typing import Any

import pytest
from django.core.files import File
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import InMemoryUploadedFile, TemporaryUploadedFile
from django.test import override_settings

from tests.django.children import child, heard
from tests.django.films.models import Film
from transports.tiktok import DirectPost, TikTokPublishService
from transports.tiktok.sandbox import Sandbox
from uploader import Outcome, SourceError, UploadResult
from uploader.contrib.django import enqueue, get_uploader

CONTENT = bytes(range(256)) * 4096
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def media(tmp_path: Path) -> Any:
    """Keep files of models in a folder of the test's."""
    with override_settings(MEDIA_ROOT=str(tmp_path / "media")):
        yield tmp_path / "media"


def film(**names: str) -> Film:
    """Save a film."""
    made = Film()
    for field in ("here", "there"):
        getattr(made, field).save(names.get(field, "clip.mp4"), ContentFile(CONTENT), save=False)
    made.save()
    return Film.objects.get(pk=made.pk)


def post(sandbox: Sandbox, **facts: Any) -> DirectPost:
    """Return a post to the sandbox."""
    usual: dict[str, Any] = {
        "account": "acme",
        "access_token": sandbox.access_token,
        "base_url": sandbox.base_url,
        "title": "Hi",
        "privacy_level": "SELF_ONLY",
    }
    return DirectPost(**(usual | facts))


def published(sandbox: Sandbox, result: UploadResult) -> None:
    """Assert that the one post of the sandbox has the film, whole."""
    assert result.outcome is Outcome.DONE, result.error
    assert [each.sha256 for each in sandbox.posts] == [SHA256]


@pytest.mark.usefixtures("database")
def test_a_file_of_a_field_is_uploaded(tiktok_sandbox: Sandbox) -> None:
    """The journal in the database tells of it afterwards, and it is not posted twice."""
    source, uploader = film().here, get_uploader()
    result = uploader.upload(source, post(tiktok_sandbox))

    published(tiktok_sandbox, result)
    again = uploader.upload(source, post(tiktok_sandbox))
    entry = uploader.journal.get(result.upload_id)
    assert again.upload_id == result.upload_id
    assert len(tiktok_sandbox.posts) == 1
    assert entry is not None
    assert entry.source == f"django:films.Film.here:{source.name}"
    assert entry.reference == result.fields["publish_id"]


@pytest.mark.parametrize(
    ("database", "field"), [("sqlite", "there"), ("postgres", "here")], indirect=["database"]
)
def test_another_process_sends_what_was_enqueued(
    tiktok_sandbox: Sandbox, database: dict[str, str], media: Path, field: str
) -> None:
    """It finds the file by field and name, in a storage without paths too."""
    upload_id = enqueue(getattr(film(), field), post(tiktok_sandbox))

    with child(
        database, "send", upload_id, tiktok_sandbox.access_token, TEST_MEDIA=str(media)
    ) as process:
        told = heard(process)

    assert told["outcome"] == "done", told
    assert [each.sha256 for each in tiktok_sandbox.posts] == [SHA256]
    assert get_uploader().journal.due() == []


def test_names_may_hold_anything(tiktok_sandbox: Sandbox, media: Path) -> None:
    """Colons and folders of the name are its own."""
    media.mkdir()
    (media / "a:b").mkdir()
    (media / "a:b" / "ü: 1.mp4").write_bytes(CONTENT)
    made = Film(here="a:b/ü: 1.mp4", there="clip.mp4")
    made.save()

    upload_id = enqueue(Film.objects.get(pk=made.pk).here, post(tiktok_sandbox))
    uploader = get_uploader()
    uploader._credentials = lambda *_: tiktok_sandbox.access_token

    published(tiktok_sandbox, uploader.resume(upload_id))


@pytest.mark.parametrize("kind", [TemporaryUploadedFile, InMemoryUploadedFile, File, "unsaved"])
def test_what_a_request_brings_is_uploaded(
    tiktok_sandbox: Sandbox, tmp_path: Path, kind: Any
) -> None:
    """From its temporary file, or from memory; a field's file before it is saved as well."""
    source: Any
    match kind:
        case "unsaved":
            source = Film(here=ContentFile(CONTENT, "clip.mp4")).here
        case _ if kind is TemporaryUploadedFile:
            source = TemporaryUploadedFile("clip.mp4", "video/mp4", len(CONTENT), None)
            source.write(CONTENT)
        case _ if kind is InMemoryUploadedFile:
            inside = ContentFile(CONTENT)
            source = InMemoryUploadedFile(
                inside, "here", "clip.mp4", "video/mp4", len(CONTENT), None
            )
        case _:
            (tmp_path / "clip.mp4").write_bytes(CONTENT)
            source = File((tmp_path / "clip.mp4").open("rb"))
    with source:
        published(tiktok_sandbox, get_uploader().upload(source, post(tiktok_sandbox)))


def test_a_file_that_is_gone_is_said_to_be(tiktok_sandbox: Sandbox, media: Path) -> None:
    """As are a field without one, and a field that is no more."""
    made = film()
    uploader = get_uploader()
    there = enqueue(made.there, post(tiktok_sandbox))
    for path in media.iterdir():
        path.unlink()
    uploader._credentials = lambda *_: tiktok_sandbox.access_token

    with pytest.raises(SourceError, match=r"films\.Film\.there has no file clip"):
        uploader.resume(there)
    with pytest.raises(SourceError, match=r"films\.Film\.here has no file"):
        uploader.upload(Film().here, post(tiktok_sandbox))
    with pytest.raises(SourceError, match=r"no file field films\.Film\.gone"):
        uploader.upload("django:films.Film.gone:clip.mp4", post(tiktok_sandbox))
    with pytest.raises(SourceError, match="does not give"):
        uploader.upload("django:films.Film.here:../../etc/passwd", post(tiktok_sandbox))


def test_the_dropin_uses_the_projects_uploader(tiktok_sandbox: Sandbox) -> None:
    """Its journal, and what it has of the account, without a word in the call."""
    source = film().here
    get_uploader()._credentials = lambda *_: tiktok_sandbox.access_token

    with TikTokPublishService(account="acme", base_url=tiktok_sandbox.base_url) as service:
        answer = service.publish_video(source.path, "Hi", "private")

    assert answer["success"], answer
    assert len(tiktok_sandbox.posts) == 1
    assert [each.account for each in get_uploader().journal.latest()] == ["acme"]
    assert not os.environ.get("UPLOADER_JOURNAL")
