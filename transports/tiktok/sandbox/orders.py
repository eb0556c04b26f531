"""What the inits of drafts and photos may say.

Rule: pure functions of their arguments, as `rules` are. Sources:
https://developers.tiktok.com/doc/content-posting-api-reference-upload-video and
https://developers.tiktok.com/doc/content-posting-api-reference-photo-post
"""

from collections.abc import Mapping

from transports.tiktok.sandbox.rules import (
    SOURCE_FIELDS,
    Order,
    Owned,
    Source,
    check_toggles,
    check_url,
    invalid,
    is_int,
    object_of,
    privacy_of,
    source_of,
    title_of,
)
from transports.tiktok.sandbox.switches import Switches

MAX_PHOTOS = 35
MAX_PHOTO_TITLE_UNITS = 90
MAX_DESCRIPTION_UNITS = 4000

INBOX_FIELDS = {"source_info": SOURCE_FIELDS}
CONTENT_FIELDS: Mapping[str, frozenset[str]] = {
    "media_type": frozenset(),
    "post_mode": frozenset(),
    "is_aigc": frozenset(),
    "post_info": frozenset(
        {
            "title",
            "description",
            "privacy_level",
            "disable_comment",
            "auto_add_music",
            "brand_content_toggle",
            "brand_organic_toggle",
        }
    ),
    "source_info": frozenset({"source", "photo_images", "photo_cover_index"}),
}


def read_inbox(body: Mapping[str, object], switches: Switches, owned: Owned) -> Order:
    """Return what the init of a video draft asks for, or raise `ApiRefusal`."""
    return Order("", "", {}, source_of(body, switches, owned), inbox=True)


def read_content(
    body: Mapping[str, object], switches: Switches, owned: Owned, *, private: bool
) -> Order:
    """Return what the init of photos asks for, or raise `ApiRefusal`."""
    if body.get("media_type") != "PHOTO":
        raise invalid(switches, "media_type must be PHOTO")
    mode = body.get("post_mode")
    if mode not in ("DIRECT_POST", "MEDIA_UPLOAD"):
        raise invalid(switches, "post_mode must be DIRECT_POST or MEDIA_UPLOAD")
    if not isinstance(body.get("is_aigc", False), bool):
        raise invalid(switches, "is_aigc must be a boolean")
    post_info = object_of(body, "post_info", switches)
    title = title_of(post_info, switches, most=MAX_PHOTO_TITLE_UNITS)
    title_of(post_info, switches, name="description", most=MAX_DESCRIPTION_UNITS)
    inbox = mode == "MEDIA_UPLOAD"
    level = ""
    if not inbox:
        check_toggles(post_info, switches)
        if not isinstance(post_info.get("auto_add_music", False), bool):
            raise invalid(switches, "post_info.auto_add_music must be a boolean")
        level = privacy_of(post_info, switches, private=private)
    source = _photos(object_of(body, "source_info", switches), switches, owned)
    return Order(title, level, dict(post_info), source, media="photos", inbox=inbox)


def _photos(source_info: Mapping[str, object], switches: Switches, owned: Owned) -> Source:
    if source_info.get("source") != "PULL_FROM_URL":
        raise invalid(switches, "source_info.source must be PULL_FROM_URL")
    images = source_info.get("photo_images")
    if not isinstance(images, list) or not 1 <= len(images) <= MAX_PHOTOS:
        raise invalid(switches, f"source_info.photo_images must be 1 to {MAX_PHOTOS} URLs")
    cover = source_info.get("photo_cover_index")
    if not is_int(cover) or not 0 <= cover < len(images):
        raise invalid(switches, "source_info.photo_cover_index must be the index of a photo")
    urls = tuple(
        check_url(url, f"source_info.photo_images[{index}]", switches, owned)
        for index, url in enumerate(images)
    )
    return Source(switches.pull_bytes, 0, 0, urls)
