"""Tokens that tests and sandboxes make up."""

from __future__ import annotations

from pathlib import Path

from tests.engine.files import make_clip
from transports.tiktok import DirectPost
from transports.tiktok.sandbox import Sandbox
from uploader import Outcome, Uploader


def test_a_short_token_is_not_masked_out_of_answers(tmp_path: Path) -> None:
    """What a server repeats of a token is masked, but not every word of its answers."""
    clip = make_clip(tmp_path / "clip.mp4", 1000)
    with Sandbox(access_token="log_id") as sandbox, Uploader() as uploader:
        post = DirectPost(
            account="acme",
            access_token="log_id",
            privacy_level="SELF_ONLY",
            base_url=sandbox.base_url,
        )
        assert uploader.upload(clip, post).outcome is Outcome.DONE
