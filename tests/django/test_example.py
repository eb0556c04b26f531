"""The example as its README says: one command starts it, a clip goes through its form."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from tests.browser import browser, needs_browser
from tests.fleet.brokers import until
from uploader.cli.clip import CLIP, grow

SITE = Path(__file__).parents[2] / "examples" / "django_site"
PASSWORD = "admin"
START = 80.0
"""Seconds for a worker to start on a busy machine."""
pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


@contextmanager
def started(var: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run the example on a free port; what it says goes into a file beside what it keeps."""
    var.mkdir(exist_ok=True)
    log = var / "said.log"
    with log.open("w") as said:
        process = subprocess.Popen(
            [sys.executable, SITE / "run.py", "--port", "0", "--var", var],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
        )
    assert process.stdout is not None
    try:
        for line in process.stdout:
            found = re.search(r"The site\s+(http://\S+)", line)
            if found is not None:
                break
        else:
            raise AssertionError(log.read_text())
        yield process, found[1]
    finally:
        process.send_signal(signal.SIGINT)
        process.stdout.close()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise


@needs_browser
def test_a_clip_goes_through_the_form_and_out(tmp_path: Path) -> None:
    """It is seen on its way and done, a signal has told the clip, and the admin has the upload."""
    clip = tmp_path / "holiday.mp4"
    clip.write_bytes(CLIP.read_bytes())
    grow(clip, 32_000_000)
    with (
        started(tmp_path / "var") as (process, url),
        browser(tmp_path, width=1100, height=560) as page,
    ):
        page.until(lambda: _answers(url), "the site does not answer", within=START)
        page.open(url)
        page.write("#id_title", "Three days by the sea")
        page.find("#id_file").send_keys(str(clip))
        page.go(page.find("button"))
        assert not page.all(".errorlist"), page.text
        page.until(
            lambda: page.all("#clips [data-outcome=done]"), "the clip is never done", within=START
        )
        page.picture("django-example", height=640)
        assert "Three days by the sea" in page.text
        (bar,) = page.all("#clips progress")
        assert bar.get_attribute("value") == bar.get_attribute("max") == "32000000"

        page.go(page.link("Admin"))
        page.write("#id_username", "admin")
        page.write("#id_password", PASSWORD)
        page.go(page.find("[type=submit]"))
        assert "holiday" in page.text
        assert [each.text for each in page.all("#result_list .up-badge")] == ["done"]
    assert process.returncode == 0
    said = (tmp_path / "var" / "said.log").read_text()
    assert "Traceback" not in said


def test_it_starts_again_and_ends_with_any_part(tmp_path: Path) -> None:
    """Accounts have logged in at an earlier stand-in; a worker that is gone is no site."""
    for _ in range(2):
        with started(tmp_path) as (process, url):
            assert process.poll() is None
            until(partial(_answers, url), START, "the site answers")
        assert process.returncode == 0

    with started(tmp_path) as (process, url):
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        os.kill(int(children[1]), signal.SIGKILL)
        assert process.wait(60) == 1
        assert not _answers(url)
    assert "the worker has ended with -9" in (tmp_path / "said.log").read_text()


def _answers(url: str) -> bool:
    import urllib.request

    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        direct.open(url, timeout=2).close()
    except OSError:
        return False
    return True
