"""What the entry points `tiktok` and `tiktok-inbox` load: how commands build and try them.

Rule: cheap to import; the sandbox and its server load when they are asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from transports.tiktok.catalogue import MEANINGS
from transports.tiktok.destination import (
    DIRECT,
    DirectPost,
    InboxDraft,
    PrivacyLevel,
    TikTokAccount,
)
from transports.tiktok.destination_remote import PhotoPost, PullPost
from transports.tiktok.hosts import API_URL
from transports.tiktok.limits import TikTokLimits
from transports.tiktok.paths import Endpoint
from uploader.errors import ConfigurationError
from uploader.secret import Secret
from uploader.tokens import TokenStore
from uploader.transport import Capabilities, DestinationOption, Examination, Finding, Probe

_ACCOUNT: Final = DestinationOption(name="account", help="whose post it is")
_CHUNK_SIZE: Final = DestinationOption(name="chunk_size", help="bytes per chunk")
_BASE_URL: Final = DestinationOption(name="base_url", help="another API host, such as a sandbox")
_KINDS: Final[Mapping[str, type[TikTokAccount]]] = {
    each.kind: each for each in (DirectPost, InboxDraft, PullPost, PhotoPost)
}


class TikTokFactory:
    """Direct posts on TikTok, and every other post that a journal holds."""

    name = "tiktok"
    summary = "TikTok Direct Post: video published to a creator's profile"
    token_variable = "TIKTOK_ACCESS_TOKEN"  # noqa: S105 - the name of a variable
    meanings = MEANINGS
    options: tuple[DestinationOption, ...] = (
        DestinationOption(
            name="privacy_level", help=f"one of {', '.join(PrivacyLevel)}", required=True
        ),
        DestinationOption(name="title", help="the caption, at most 2200 UTF-16 units"),
        _ACCOUNT,
        _CHUNK_SIZE,
        _BASE_URL,
    )

    @property
    def capabilities(self) -> Capabilities:
        return TikTokLimits().capabilities()

    def destination(self, access_token: Secret | None, fields: Mapping[str, Any]) -> TikTokAccount:
        """Build the post that `post` names, a direct one by default.

        Fields that are `None` count as not given.
        """
        given = {name: value for name, value in fields.items() if value is not None}
        kind = _KINDS.get(str(given.pop("post", DIRECT)))
        if kind is None:
            raise ConfigurationError(f"there is no post {fields['post']!r}").hint(
                f"there are {', '.join(_KINDS)}"
            )
        if kind is DirectPost and not given.get("privacy_level"):
            raise ConfigurationError("no privacy level is given").hint(
                f"TikTok wants it to be chosen: one of {', '.join(PrivacyLevel)}"
            )
        if isinstance(given.get("limits"), Mapping):
            given["limits"] = TikTokLimits(**given["limits"])
        try:
            return kind(access_token=access_token, **given)
        except TypeError:
            unknown = sorted(set(given) - {option.name for option in self.options})
            raise ConfigurationError(f"tiktok has no options {', '.join(unknown)}") from None

    account_transport = "tiktok"
    account_variables = ("TIKTOK_CLIENT_KEY", "TIKTOK_CLIENT_SECRET")

    def accounts(
        self, store: TokenStore, app: Mapping[str, Secret], *, base_url: str | None = None
    ) -> Any:
        """Return the accounts of an app, whose key and secret come under `account_variables`."""
        from transports.tiktok.accounts import TikTokAccounts

        key, secret = (app[name] for name in self.account_variables)
        return TikTokAccounts(store, key.reveal(), secret, base_url=base_url or API_URL)

    def hosts(self, fields: Mapping[str, Any]) -> Sequence[tuple[str, bool]]:
        from transports.tiktok.checkup import hosts

        return hosts(fields)

    def checks(self, examination: Examination) -> Iterator[Finding]:
        from transports.tiktok.checkup import checks

        return checks(examination, _account_of(examination))

    def probe(self, examination: Examination) -> Probe:
        from transports.tiktok.probe import probe

        # What is never posted counts for no day's posts.
        return probe(examination, _account_of(examination, TikTokLimits(posts_a_day=0)))

    def preflight(self, destination: TikTokAccount) -> Any:
        from transports.tiktok.preflight import PostCheck

        return PostCheck(destination)

    def sandbox(self, *, port: int = 0) -> Any:
        from transports.tiktok.sandbox import Sandbox

        return Sandbox(port=port)


class TikTokInboxFactory(TikTokFactory):
    """Drafts for a creator's inbox. In a journal they are posts of `tiktok` like all others."""

    name = "tiktok-inbox"
    summary = "TikTok draft: video sent to a creator's inbox, to be finished in the app"
    options = (_ACCOUNT, _CHUNK_SIZE, _BASE_URL)

    @property
    def capabilities(self) -> Capabilities:
        return TikTokLimits().capabilities(init=Endpoint.INBOX_INIT)

    def destination(self, access_token: Secret | None, fields: Mapping[str, Any]) -> TikTokAccount:
        return super().destination(access_token, {**fields, "post": InboxDraft.kind})


def _account_of(examination: Examination, limits: TikTokLimits | None = None) -> TikTokAccount:
    return TikTokAccount(
        account=examination.account,
        access_token=examination.access_token,
        credentials=examination.credentials,
        base_url=str(examination.fields.get("base_url") or API_URL),
        limits=limits or TikTokLimits(),
    )


TIKTOK = TikTokFactory()
TIKTOK_INBOX = TikTokInboxFactory()
