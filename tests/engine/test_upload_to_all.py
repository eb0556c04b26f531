"""One file to several destinations, read once."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.engine.conftest import Make
from tests.engine.files import make_clip, sha256
from transports.tiktok.sandbox import Fault, Sandbox
from uploader import AsyncUploader, Uploader
from uploader.errors import SourceError, UploaderError
from uploader.model import Outcome
from uploader.source import open_source

SIZE = 12_000_000


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Collect every source that the engine opens."""
    made: list[Any] = []
    original = open_source

    def counting(*args: Any, **options: Any) -> Any:
        made.append(original(*args, **options))
        return made[-1]

    monkeypatch.setattr("uploader.engine.core.open_source", counting)
    return made


def test_one_read_serves_all(
    tmp_path: Path, sandbox: Sandbox, post: Make, uploader: Uploader, opened: list[Any]
) -> None:
    """Each destination has the whole file, and the file was opened once."""
    film = make_clip(tmp_path / "film.mp4", SIZE)
    sandbox.script(*(Fault("put", nth=number, delay=0.05) for number in (1, 2, 3)))
    posts = [post(account=name, title=name) for name in ("ann", "bob", "cid")]

    results = uploader.upload_to_all(film, posts)

    assert [(each.outcome, each.account) for each in results] == [
        (Outcome.DONE, "ann"),
        (Outcome.DONE, "bob"),
        (Outcome.DONE, "cid"),
    ]
    assert {each.sha256 for each in sandbox.posts} == {sha256(film)}
    assert len(opened) == 1
    assert opened[0].lent is None, "closed by whoever went last"


def test_a_failing_destination_harms_no_other(
    tmp_path: Path, sandbox: Sandbox, post: Make, uploader: Uploader
) -> None:
    """Its result says what happened, in its place."""
    film = make_clip(tmp_path / "film.mp4", SIZE)
    with Sandbox(rate_limits=False) as broken:
        broken.script(Fault("put", nth=1, status=400))
        refused = post(account="bob", base_url=broken.base_url, access_token=broken.access_token)
        results = uploader.upload_to_all(film, [refused, post(), post()])

    assert [each.outcome for each in results] == [
        Outcome.FAILED,
        Outcome.DONE,
        Outcome.SUSPENDED,  # the same post as the one before: it is being driven
    ]
    sandbox.assert_posted_once(sha256=sha256(film))


def test_a_missing_file_is_raised(uploader: Uploader, post: Make) -> None:
    """What is wrong with the file is no destination's result."""
    with pytest.raises(SourceError):
        uploader.upload_to_all("missing.mp4", [post()])


async def test_the_asyncio_face_does_the_same(tmp_path: Path, sandbox: Sandbox, post: Make) -> None:
    """One result per destination, errors included."""
    film = make_clip(tmp_path / "film.mp4", SIZE)
    async with AsyncUploader(metrics=False) as up:
        results = await asyncio.wait_for(
            up.upload_to_all(film, [post(title="a"), post(title="b")]), 30
        )

    assert [each.outcome for each in results] == [Outcome.DONE, Outcome.DONE]
    assert all(not isinstance(each.error, UploaderError) for each in results)
    assert sorted(each.title for each in sandbox.posts) == ["a", "b"]
