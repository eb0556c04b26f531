"""The admin of a project whose journal is in a database of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = """
import django
django.setup()
from django.core.management import call_command
for alias in ("default", "uploads"):
    call_command("migrate", database=alias, verbosity=0)

from pathlib import Path
import sys
from django.contrib.auth.models import User
from django.db import connections
from django.test import Client
from transports.tiktok import DirectPost
from uploader.contrib.django import get_token_store, get_uploader
from uploader.secret import Secret
from uploader.tokens import AccountTokens

clip = Path(sys.argv[1])
up = get_uploader()
post = DirectPost(account="acme", privacy_level="SELF_ONLY", base_url="http://127.0.0.1:9")
upload_id = up.enqueue(clip, post)
get_token_store().save(AccountTokens(transport="tiktok", account="acme", access_token=Secret("a")))
assert connections["default"].cursor().execute(
    "SELECT count(*) FROM mmap_uploader_upload").fetchone() == (0,)

User.objects.create_superuser("admin", password="admin")
client = Client(SERVER_NAME="127.0.0.1", raise_request_exception=True)
client.login(username="admin", password="admin")
place = "/admin/mmap_uploader/"

def read(path):
    answer = client.get(place + path)
    assert answer.status_code == 200, (path, answer.status_code)
    return answer.content.decode()

def order(action, **more):
    fields = {"action": action, "_selected_action": "1", "index": "0", "yes": "yes", **more}
    answer = client.post(place + "upload/", fields, follow=True)
    assert answer.status_code == 200, action
    return answer.content.decode()

listed = read("upload/")
assert "clip.mp4" in listed and "?transport=tiktok" in listed
assert upload_id in read("upload/1/change/")
assert "acme" in read("account/")
assert "Acme is paused" in order("pause_accounts", reason="moved")
assert "moved" in read("pause/")
assert "Acme goes on" in order("unpause_accounts")
client.post(place + "pause/add/", {"account": "umbrella", "reason": "audit"})
(pause,) = up.journal.pauses()
assert (pause.account, pause.by) == ("umbrella", "admin")
from uploader.contrib.django.models import Pause
number = Pause.objects.using("uploads").get().pk
client.post(place + f"pause/{number}/delete/", {"post": "yes"})
assert list(up.journal.pauses()) == []
assert "is cancelled" in order("cancel")
assert up.journal.get(upload_id).state == "cancelled"
assert "posted again as" in order(
    "post_again", sure="sure", **{f"new-{upload_id}": "0123456789abcdef"})
print("all was found")
"""


@pytest.mark.slow
def test_pages_and_orders_are_the_journals(tmp_path: Path) -> None:
    """They read where the journal writes, not the empty tables beside it."""
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(bytes(range(256)))
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT, clip],
        cwd=ROOT,
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.django.admin_settings",
            "ADMIN_SITE_DATABASE": str(tmp_path / "site.sqlite3"),
            "ADMIN_SITE_JOURNAL": str(tmp_path / "uploads.sqlite3"),
            "ADMIN_SITE_TOKEN": "act.x",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )
    assert ended.stdout == "all was found\n", ended.stderr[-3000:]
