"""How uploads end is told as signals: after the record, on a thread that may use the ORM."""

import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction
from django.dispatch import Signal
from django.test import override_settings

from tests.django.uploads import entry
from transports.tiktok import DirectPost
from transports.tiktok.sandbox import Fault, Sandbox
from uploader import Outcome
from uploader.cli.clip import CLIP
from uploader.contrib.django import get_uploader, orders, signals
from uploader.contrib.django.models import Upload
from uploader.engine.claiming import recorded
from uploader.journal import State
from uploader.secret import Secret


class Heard:
    """A receiver that looks at the row while it is told."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []
        self.states: list[str] = []
        self.threads: set[str] = set()
        self.atomic: list[bool] = []

    def __call__(self, sender: type[Upload], **told: Any) -> None:
        assert sender is Upload
        self.told.append(told)
        self.states.append(Upload.objects.get(upload_id=told["upload_id"]).state)
        self.threads.add(threading.current_thread().name)
        self.atomic.append(connection.in_atomic_block)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Run a sandbox whose token the project has for every account."""
    with Sandbox() as sandbox:
        token = sandbox.access_token
        given = {"CREDENTIALS": lambda transport, account: Secret(token), "METRICS": False}
        with override_settings(UPLOADER=given):
            yield sandbox


@pytest.fixture
def post(sandbox: Sandbox) -> DirectPost:
    """Return a post to the sandbox, without a token of its own."""
    return DirectPost(account="acme", privacy_level="SELF_ONLY", base_url=sandbox.base_url)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Return a real video."""
    file = tmp_path / "clip.mp4"
    file.write_bytes(CLIP.read_bytes())
    return file


def heard(signal: Signal) -> Heard:
    """Listen to a signal; the test's own receiver is dropped with the signal's next send."""
    receiver = Heard()
    signal.connect(receiver, weak=True)
    return receiver


def test_a_post_that_is_done_is_told_with_its_facts(clip: Path, post: DirectPost) -> None:
    """Whose, by which key, what came of it; the row says so already; no transaction is open."""
    done = heard(signals.upload_done)

    result = get_uploader().upload(clip, post, key="film:7")

    (told,) = done.told
    assert (told["upload_id"], told["account"], told["key"]) == (result.upload_id, "acme", "film:7")
    assert told["result"].outcome is Outcome.DONE
    assert told["result"].fields["publish_id"] == result.fields["publish_id"]
    assert told["by"] == ""
    assert done.states == ["done"]
    assert done.atomic == [False]
    assert done.threads == {"uploader-events"}


def test_a_receiver_that_fails_stops_nobody(
    clip: Path, post: DirectPost, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged; the upload and the other receivers do not notice."""

    def fails(**_: Any) -> None:
        raise RuntimeError("a receiver's own fault")

    signals.upload_done.connect(fails)
    done = heard(signals.upload_done)
    with caplog.at_level(logging.ERROR, "django.dispatch"):
        result = get_uploader().upload(clip, post)
    signals.upload_done.disconnect(fails)

    assert result.outcome is Outcome.DONE
    assert len(done.told) == 1
    assert "a receiver's own fault" in caplog.text


def test_a_refused_post_is_told_with_what_was_said(
    clip: Path, post: DirectPost, sandbox: Sandbox
) -> None:
    """The recorded error comes along."""
    failed, done = heard(signals.upload_failed), heard(signals.upload_done)
    sandbox.script(Fault("init", status=403, vendor_code="spam_risk_user_banned_from_posting"))

    get_uploader().upload(clip, post)

    (told,) = failed.told
    assert "spam_risk_user_banned_from_posting" in told["result"].error.message
    assert failed.states == ["failed"]
    assert done.told == []


def test_an_upload_that_has_to_wait_is_told(clip: Path, post: DirectPost) -> None:
    """Its time was up before anything was sent: it can be resumed."""
    suspended = heard(signals.upload_suspended)
    up = get_uploader()
    later = up.enqueue(clip, post, not_before=up.now() + 3600)

    up.resume(later)

    assert [told["upload_id"] for told in suspended.told] == [later]


def test_what_a_person_settles_is_told_with_their_name(sandbox: Sandbox) -> None:
    """By the admin's own call, in the thread that serves the page."""
    up = get_uploader()
    made = up.journal.claim(entry(), 60.0)
    assert made.lease is not None
    up.journal.save(made.lease, {"state": State.UNKNOWN})
    up.journal.release(made.lease)
    done = heard(signals.upload_done)

    settled = orders.settle(up, made.entry.upload_id, posted=True, by="dana")
    with transaction.atomic():
        signals.announce(settled, recorded(settled), by="dana")

    (told,) = done.told
    assert (told["by"], told["result"].outcome) == ("dana", Outcome.DONE)
    assert done.states == ["done"]
