"""Writes the scene of the admin's tests into a site's database."""

import time
from pathlib import Path
from typing import Any

from django.contrib.auth.models import Permission, User

from tests.django.admin_scene import HOUR, PART, PASSWORD, PAUSED, SCENE, SECRETS, Made
from transports.tiktok import DirectPost
from uploader.api import Uploader
from uploader.contrib.django import get_uploader
from uploader.contrib.django.models import Account, Upload
from uploader.journal import Entry, PartRecord, Pause, State
from uploader.model import Plan, Session
from uploader.secret import Secret


def fill() -> None:
    """Write the scene into the journal, the accounts' table and the users'."""
    up = get_uploader()
    for made in SCENE:
        _record(up, made)
    up.journal.pause(
        Pause("tiktok", PAUSED, "a campaign is on hold", since=up.now() - HOUR, by="dana")
    )
    for account, days in (("acme", 170.0), (PAUSED, 21.0), ("initech", 96.0)):
        _log_in(account, days)
    people()


def people() -> None:
    """Make users of several rights, all with one password."""
    User.objects.create_superuser("admin", password=PASSWORD)
    rights = {"viewer": [], "helper": ["resume_upload"], "closer": ["resolve_upload"]}
    for name, more in rights.items():
        user = User.objects.create_user(name, password=PASSWORD, is_staff=True)
        user.user_permissions.set(
            Permission.objects.filter(
                content_type__app_label="mmap_uploader",
                codename__in=["view_upload", "view_account", "view_pause", *more],
            )
        )


def publish(file: Path, base_url: str, **fields: Any) -> str:
    """Queue a real file for the sandbox."""
    wanted: dict[str, Any] = {"title": file.stem, "account": "acme", **fields}
    return get_uploader().enqueue(
        file, DirectPost(privacy_level="SELF_ONLY", base_url=base_url, **wanted)
    )


def _record(up: Uploader, made: Made) -> None:
    now = time.time()
    post = DirectPost(account=made.account, title=made.title, privacy_level="SELF_ONLY")
    begun = made.state not in (State.QUEUED, State.CANCELLED)
    publish_id = f"v_pub_file~v2-1.{made.upload_id}" if begun else None
    size = (made.parts - 1) * PART + PART // 3
    entry = Entry(
        upload_id=made.upload_id,
        identity=f"identity of {made.upload_id}",
        transport="tiktok",
        account=made.account,
        name=made.name,
        source=f"/srv/videos/{made.name}",
        fingerprint=f"print of {made.upload_id}",
        content_type="video/mp4",
        destination=post.fields(),
        plan=Plan(size, PART, made.parts),
    )
    claim = up.journal.claim(entry, 60)
    assert claim.lease is not None
    for index in range(made.confirmed):
        digest = f"{index:02d}{made.upload_id}".ljust(32, "7")
        receipt = {"status": 206, "range": f"bytes 0-{(index + 1) * PART - 1}/{size}"}
        up.journal.save(claim.lease, {}, part=PartRecord(index, digest, receipt))
    changes: dict[str, Any] = {"state": made.state, "confirmed": made.confirmed}
    if begun:
        secrets = {"upload_url": Secret(SECRETS["url"])}
        changes["session"] = Session({"publish_id": publish_id}, secrets, now - made.recorded + 1)
        changes["fields"] = {"publish_id": publish_id, **dict(made.fields)}
        changes["reference"] = publish_id
    if made.error is not None:
        changes["error"] = made.error.to_dict()
    if made.due_in is not None:
        changes["not_before"] = now + made.due_in
    up.journal.save(claim.lease, changes)
    up.journal.release(claim.lease)
    row = Upload.objects.filter(upload_id=made.upload_id)
    row.update(created=now - made.recorded, updated=now - made.changed, runs=1 + bool(made.error))
    if made.holder is not None:
        row.update(lease_holder=made.holder, lease_owner="another machine", lease_until=now + HOUR)


def _log_in(account: str, days: float) -> None:
    """Enter an account as the token store would have it."""
    now = time.time()
    Account.objects.create(
        place=f"place of {account}",
        transport="tiktok",
        account=account,
        version=1,
        sealed=f"sealed {SECRETS['token']}",
        state="active",
        reason="",
        subject=f"subject-of-{account}",
        scopes='["user.info.basic","video.publish","video.upload"]',
        fields="{}",
        expires=now + 1.5 * HOUR,
        refresh_expires=now + days * 24 * HOUR,
        updated=now - HOUR,
    )
