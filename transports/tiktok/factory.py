"""What the entry point `tiktok` loads: how commands build and try this destination.

Rule: cheap to import; the sandbox and its server load when they are asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from transports.tiktok.destination import DirectPost, PrivacyLevel
from transports.tiktok.limits import TikTokLimits
from uploader.errors import ConfigurationError
from uploader.secret import Secret
from uploader.transport import Capabilities, DestinationOption


class TikTokFactory:
    """Direct posts on TikTok."""

    name = "tiktok"
    summary = "TikTok Direct Post: video published to a creator's profile"
    token_variable = "TIKTOK_ACCESS_TOKEN"  # noqa: S105 - the name of a variable
    options = (
        DestinationOption(
            name="privacy_level", help=f"one of {', '.join(PrivacyLevel)}", required=True
        ),
        DestinationOption(name="title", help="the caption, at most 2200 UTF-16 units"),
        DestinationOption(name="account", help="whose post it is"),
        DestinationOption(name="chunk_size", help="bytes per chunk"),
        DestinationOption(name="base_url", help="another API host, such as a sandbox"),
    )

    @property
    def capabilities(self) -> Capabilities:
        return TikTokLimits().capabilities()

    def destination(self, access_token: Secret | None, fields: Mapping[str, Any]) -> DirectPost:
        """Build a direct post. Fields that are `None` count as not given."""
        given = {name: value for name, value in fields.items() if value is not None}
        if not given.get("privacy_level"):
            raise ConfigurationError("no privacy level is given").hint(
                f"TikTok wants it to be chosen: one of {', '.join(PrivacyLevel)}"
            )
        if isinstance(given.get("limits"), Mapping):
            given["limits"] = TikTokLimits(**given["limits"])
        try:
            return DirectPost(access_token=access_token, **given)
        except TypeError:
            unknown = sorted(set(given) - {option.name for option in self.options})
            raise ConfigurationError(f"tiktok has no options {', '.join(unknown)}") from None

    def sandbox(self, *, port: int = 0) -> Any:
        from transports.tiktok.sandbox import Sandbox

        return Sandbox(port=port)


TIKTOK = TikTokFactory()
