"""What the entry point `tus` loads: how commands and journals build this destination.

Rule: cheap to import; options may come as texts of a command line.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from transports.tus.destination import TusUpload
from transports.tus.limits import in_order
from uploader.errors import ConfigurationError
from uploader.secret import Secret
from uploader.transport import Capabilities, DestinationOption

_SCHEMES: Final = {"tus+https": "https", "tus+http": "http"}


class TusFactory:
    """Uploads to tus servers."""

    name = "tus"
    summary = "tus 1.0.0: resumable uploads to tusd, Vimeo, Cloudflare Stream and others"
    token_variable = ""
    schemes = tuple(_SCHEMES)
    takes_many = True
    options = (
        DestinationOption(name="url", help="where the server creates uploads"),
        DestinationOption(name="metadata", help="KEY=VALUE,KEY=VALUE that the server is told"),
        DestinationOption(name="account", help="whose upload it is"),
        DestinationOption(name="content_type", help="the media type, else known by the name"),
        DestinationOption(name="part_size", help="bytes in a request"),
        DestinationOption(name="parallel", help="how many partial uploads go at once"),
        DestinationOption(name="checksum", help="sha1 lets the server check what it received"),
        DestinationOption(name="signed", help="true where the uploader's credentials serve"),
        DestinationOption(name="upload_hosts", help="further hosts of the server, HOST,HOST"),
        DestinationOption(name="session_lifetime", help="seconds that an unfinished upload lives"),
        DestinationOption(name="public_location", help="true tells the upload's URL"),
    )

    @property
    def capabilities(self) -> Capabilities:
        return in_order(None, digests=frozenset(), lifetime=None)

    def locate(self, url: str) -> dict[str, Any]:
        """Return the fields of `tus+https://host/files/`."""
        scheme, separator, rest = url.partition("://")
        if not separator or scheme not in _SCHEMES:
            raise ConfigurationError("this is no URL of a tus server").hint(
                "write tus+https://HOST/PATH, the URL at which the server creates uploads"
            )
        return {"url": f"{_SCHEMES[scheme]}://{rest}"}

    def destination(self, access_token: Secret | None, fields: Mapping[str, Any]) -> TusUpload:
        """Build an upload. Fields that are `None` count as not given."""
        given = {name: value for name, value in fields.items() if value is not None}
        withheld = given.pop("withheld", None)
        if withheld:
            raise ConfigurationError(
                f"the headers {', '.join(withheld)} are secrets, and no journal keeps them"
            ).hint("upload it again by the call that gives them: it goes on where it was")
        for name, read in _READERS.items():
            if isinstance(given.get(name), str):
                given[name] = _read(name, read, given[name])
        try:
            return TusUpload(access_token=access_token, **given)
        except TypeError:
            unknown = sorted(set(given) - {option.name for option in self.options})
            raise ConfigurationError(f"tus has no options {', '.join(unknown)}") from None

    def sandbox(self, *, port: int = 0) -> None:
        """Return nothing: servers of others stand in for themselves."""
        return


def _pairs(text: str) -> dict[str, str]:
    """Read KEY=VALUE,KEY=VALUE."""
    pairs = [pair.partition("=") for pair in text.split(",") if pair]
    if not all(separator for _, separator, _ in pairs):
        raise ValueError
    return {key: value for key, _, value in pairs}


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _truth(text: str) -> bool:
    return {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}[
        text.lower()
    ]


_READERS: Final[Mapping[str, Callable[[str], Any]]] = {
    "metadata": _pairs,
    "part_size": int,
    "parallel": int,
    "signed": _truth,
    "upload_hosts": _words,
    "session_lifetime": float,
    "public_location": _truth,
}


def _read(name: str, read: Callable[[str], Any], text: str) -> Any:
    try:
        return read(text)
    except (ValueError, KeyError):
        raise ConfigurationError(f"{text!r} is no {name} of a tus upload") from None


TUS = TusFactory()
