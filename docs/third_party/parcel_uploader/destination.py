"""What users construct, and the factory by which the command and journals make it again.

Rule: wrong fields are refused here, before anything is sent.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from parcel_uploader.protocol import ParcelTransport
from uploader import ConfigurationError
from uploader.model import MIB
from uploader.secret import Secret, masks
from uploader.transport import (
    Capabilities,
    CredentialSource,
    DestinationOption,
    Moment,
    Order,
    TailRule,
)

LIMITS = Capabilities(
    order=Order.ANY,
    tail=TailRule.SHORT,
    irreversible=Moment.COMPLETE,
    part_size=MIB,  # wanted; the server has the last word
    min_part=1,
    max_part=8 * MIB,
    max_parts=10_000,
    max_size=10_000 * MIB,
    max_single=MIB,
    max_last_part=8 * MIB,
    max_lanes=2,
    digests=frozenset({"sha256"}),
)


@masks("access_token")
@dataclass(frozen=True, kw_only=True)
class Parcel:
    """Upload as a parcel called `label` to the server at `base_url`."""

    label: str
    base_url: str
    account: str | None = None
    access_token: Secret | str | None = field(default=None, repr=False)
    credentials: CredentialSource | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if not self.label:
            raise ConfigurationError("a parcel needs a label")
        if urlsplit(self.base_url).scheme not in ("http", "https"):
            raise ConfigurationError("the base URL is malformed").hint("http://… or https://…")

    @property
    def origin(self) -> str:
        return self.base_url

    def fields(self) -> dict[str, Any]:
        given = {"label": self.label, "base_url": self.base_url, "account": self.account}
        return {name: value for name, value in given.items() if value is not None}

    def identity_fields(self) -> dict[str, Any]:
        return {"label": self.label}

    def transport(self) -> ParcelTransport:
        return ParcelTransport(self.base_url, self.label, LIMITS)


class ParcelFactory:
    """Parcels, by name."""

    name = "parcel"
    summary = "a parcel server"
    token_variable = "PARCEL_TOKEN"  # noqa: S105 - the name of a variable
    options = (
        DestinationOption(name="label", help="what is written on it", required=True),
        DestinationOption(name="base_url", help="the server", required=True),
        DestinationOption(name="account", help="whose parcel it is"),
    )
    capabilities = LIMITS

    def destination(self, access_token: Secret | None, fields: Mapping[str, Any]) -> Parcel:
        unknown = set(fields) - {option.name for option in self.options}
        if unknown:
            raise ConfigurationError(f"parcel has no options {', '.join(sorted(unknown))}")
        return Parcel(access_token=access_token, **{"label": "", "base_url": "", **fields})

    def sandbox(self, *, port: int = 0) -> Any:
        return None


PARCEL = ParcelFactory()
