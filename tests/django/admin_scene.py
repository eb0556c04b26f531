"""What the admin's tests look at: a dozen uploads, one in each state, of three accounts.

Rule: whatever must never be shown is told in `SECRETS`; who drives an upload is made up.
"""

from dataclasses import dataclass
from typing import Final

from uploader.errors import (
    NetworkError,
    OutcomeUnknownError,
    RejectedError,
    RetriesExhaustedError,
    UploaderError,
)
from uploader.journal import State
from uploader.model import MIB

SECRETS: Final = {
    "url": "https://upload.example/video/?upload_token=7d1f0c2b9e",
    "token": "act.4f0b1c77aa55e0",
    "refresh": "rft.90ffee1dbeef42",
}
PASSWORD: Final = "correct horse"
HOUR: Final = 3600.0
PART: Final = 10 * MIB


@dataclass(frozen=True, kw_only=True)
class Made:
    """One upload of the scene. Times are seconds ago."""

    upload_id: str
    name: str
    state: State
    account: str = "acme"
    title: str = "New in the shop #fyp"
    parts: int = 6
    confirmed: int = 0
    error: UploaderError | None = None
    recorded: float = 2 * HOUR
    changed: float = HOUR
    due_in: float | None = None
    holder: str | None = None
    fields: tuple[tuple[str, str], ...] = ()


def rejected(code: str) -> RejectedError:
    """Return what a refused post is recorded with."""
    return RejectedError(f"the post failed: {code}", operation="query", vendor_code=code)


SCENE: Final = (
    Made(
        upload_id="1d0000000000000a", name="spring-lookbook.mp4", state=State.DONE, confirmed=6,
        recorded=26 * HOUR, changed=25 * HOUR, fields=(("post_id", "7431188850137640993"),),
    ),
    Made(
        upload_id="2c0000000000000b", name="workshop-tour.mp4", state=State.FAILED, confirmed=6,
        account="globex", error=rejected("spam_risk_too_many_posts"), changed=5 * HOUR,
        recorded=6 * HOUR,
    ),
    Made(
        upload_id="3b0000000000000c", name="unboxing.mov", state=State.FAILED, parts=3, confirmed=3,
        error=rejected("frame_rate_check_failed"), recorded=4 * HOUR, changed=3.9 * HOUR,
    ),
    Made(
        upload_id="4a0000000000000d", name="founders-story.mp4", state=State.UNKNOWN, confirmed=5,
        account="globex", recorded=3 * HOUR, changed=2.5 * HOUR, title="How it began",
        error=OutcomeUnknownError("the answer to the last part was lost, and nothing tells"),
    ),
    Made(
        upload_id="5e0000000000000e", name="studio-day.mp4", state=State.SENDING, parts=12,
        confirmed=4, recorded=1.2 * HOUR, changed=0.4 * HOUR,
        error=RetriesExhaustedError(
            "put failed 8 times in 300 s", attempts=8, seconds=300.0,
            last=NetworkError("the connection was reset", operation="put"),
        ),
    ),
    Made(
        upload_id="6f0000000000000f", name="recipe-041.mp4", state=State.CANCELLED,
        account="initech", recorded=1.1 * HOUR, changed=HOUR,
    ),
    Made(
        upload_id="7a00000000000010", name="interview-cut-3.mp4", state=State.PROCESSING, parts=4,
        confirmed=4, account="initech", recorded=0.2 * HOUR, changed=60,
    ),
    Made(
        upload_id="8b00000000000011", name="autumn-campaign.mp4", state=State.SENDING, parts=40,
        confirmed=25, recorded=240, changed=2, holder="process 4211 on worker-2",
    ),
    Made(
        upload_id="9c00000000000012", name="behind-the-scenes.mp4", state=State.QUEUED,
        account="globex", recorded=200, changed=200,
    ),
    Made(
        upload_id="ad00000000000013", name="teaser-vertical.mp4", state=State.QUEUED, parts=2,
        recorded=150, changed=150, due_in=2 * HOUR,
    ),
)  # fmt: skip
PAUSED: Final = "globex"
