"""No token and no upload URL in anything that the command writes."""

from pathlib import Path

import pytest

from tests.cli.command import publishing, run, video
from transports.tiktok.sandbox import Fault, Sandbox

FAULTS = {
    "nothing": (),
    "forbidden": (Fault("put", status=403),),
    "reset": (Fault("put", reset_after=1000, times=9),),
    "garbage": (Fault("init", malformed=True),),
    "unknown": (Fault("put", lose_answer=True), Fault("status", status=500, times=99)),
    "redirected": (Fault("put", redirect=True),),
}


@pytest.mark.parametrize(
    ("fault", "log_format"), [*((fault, "json") for fault in FAULTS), ("forbidden", "console")]
)
def test_no_secret_is_written(
    fault: str, log_format: str, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Not with every log line on, not as JSON, not when it fails."""
    with Sandbox(strict=False) as sandbox:
        monkeypatch.setenv("TIKTOK_ACCESS_TOKEN", sandbox.access_token)
        sandbox.script(*FAULTS[fault])
        arguments = (*publishing(sandbox, video(tmp_path)), "--json", "--log-level", "debug")

        ended = run(capsys, "--debug", *arguments, "--log-format", log_format)

        written = ended.out + ended.err
        urls = [upload.url for upload in sandbox.uploads]
    assert "upload_started" in ended.err
    assert sandbox.access_token not in written
    for url in urls:
        assert url not in written
        assert url.rpartition("=")[2] not in written
