"""Applications that have logging of their own, each run in an interpreter of its own.

Rule: an application uploads a clip that meets one fault, and one that is refused; what it prints
is what its operators see.
"""

import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.engine.files import make_clip
from transports.tiktok.sandbox import Fault, Sandbox

START = """
import logging, sys
from transports.tiktok import DirectPost
from uploader import Uploader
from uploader.retry import RetryPolicy

base_url, token, first, second = sys.argv[1:5]

def upload():
    with Uploader(metrics=False, retry=RetryPolicy(base=0.0)) as up:
        for path, title in ((first, "fine"), (second, "refused")):
            up.upload(path, DirectPost(privacy_level="SELF_ONLY", base_url=base_url,
                                       access_token=token, title=title))
"""

NAME = "a\n\x1b[31mclip.mp4"
"""A file's name that would break lines and colour a terminal."""


def run(script: str, sandbox: Sandbox, directory: Path) -> Any:
    """Run an application and return what it printed."""
    sandbox.script(
        Fault("put", status=503),
        Fault("init", nth=2, vendor_code="invalid_params"),
    )
    clips = [make_clip(directory / name, 1000 + len(name)) for name in (NAME, "second.mp4")]
    return subprocess.run(
        [sys.executable, "-c", START + script, sandbox.base_url, sandbox.access_token,
         *map(str, clips)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
