"""What we hold back ourselves is nobody else's fault."""

from __future__ import annotations

import threading
from pathlib import Path

from tests.engine.files import make_clip
from transports.tiktok import DirectPost
from transports.tiktok.sandbox import Sandbox
from uploader import Outcome, Timeouts, Uploader


def test_a_bandwidth_limit_is_no_stall_of_the_peer(tmp_path: Path) -> None:
    """Pauses between windows that are longer than the stall limit end no attempt."""
    clip = make_clip(tmp_path / "clip.mp4", 3_000_000)
    limits = {"bandwidth": 3_000_000.0, "window_bytes": 1 << 20}
    with (
        Sandbox() as sandbox,
        Uploader(timeouts=Timeouts(stall=0.1), **limits) as uploader,  # type: ignore[arg-type]
    ):
        post = DirectPost(
            account="acme",
            access_token=sandbox.access_token,
            privacy_level="SELF_ONLY",
            base_url=sandbox.base_url,
        )
        result = uploader.upload(clip, post)
    assert (result.outcome, result.retries) == (Outcome.DONE, 0)


def test_token_stores_that_hang_stop_no_other_upload(tmp_path: Path) -> None:
    """While many credentials callables hang, an upload that brings its token goes on."""
    clip = make_clip(tmp_path / "clip.mp4", 1000)
    hanging, release = threading.Semaphore(0), threading.Event()

    def credentials(transport: str, account: str | None) -> str:
        hanging.release()
        release.wait(20)
        return sandbox.access_token

    def post(account: str, token: str | None) -> DirectPost:
        return DirectPost(
            account=account,
            access_token=token,
            privacy_level="SELF_ONLY",
            base_url=sandbox.base_url,
        )

    with Sandbox(rate_limits=False) as sandbox, Uploader(credentials=credentials) as uploader:
        handles = [uploader.submit(clip, post(f"hangs {n}", None)) for n in range(12)]
        for _ in handles:
            assert hanging.acquire(timeout=20)
        try:
            assert uploader.upload(clip, post("other", sandbox.access_token)).outcome is (
                Outcome.DONE
            )
        finally:
            release.set()
        for handle in handles:
            handle.result(20)
