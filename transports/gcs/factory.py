"""What the entry point `gcs` loads: how commands build this destination.

Rule: cheap to import; google-auth loads when a token is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from transports import options
from transports.gcs.destination import API_URL, GcsObject
from transports.gcs.limits import capabilities
from transports.google_credentials import GoogleCredentials
from uploader.errors import ConfigurationError
from uploader.secret import Secret
from uploader.transport import Capabilities, DestinationOption

_NUMBERS: Final = ("if_generation_match", "part_size")


class GcsFactory:
    """Objects in Google Cloud Storage."""

    name = "gcs"
    summary = "Google Cloud Storage: an object in a bucket, by a resumable upload"
    token_variable = ""
    """The application default credentials serve; a token may be given all the same."""
    schemes = ("gs",)
    options = (
        DestinationOption(name="bucket", help="the bucket's name", required=True),
        DestinationOption(name="name", help="the object's name", required=True),
        DestinationOption(name="content_type", help="the object's media type"),
        DestinationOption(name="metadata", help="custom metadata: key=value,key=value"),
        DestinationOption(name="storage_class", help="STANDARD, NEARLINE, COLDLINE or ARCHIVE"),
        DestinationOption(name="predefined_acl", help="such as publicRead"),
        DestinationOption(name="cache_control", help="the Cache-Control header to serve it with"),
        DestinationOption(name="content_disposition", help="the Content-Disposition header"),
        DestinationOption(name="content_encoding", help="the encoding that the content has"),
        DestinationOption(name="content_language", help="the language of the content"),
        DestinationOption(
            name="if_generation_match",
            help="0: do not overwrite; else the generation to replace",
        ),
        DestinationOption(name="kms_key_name", help="the key that encrypts it"),
        DestinationOption(name="user_project", help="the project that pays"),
        DestinationOption(name="crc32c", help="the content's CRC32C, in base64"),
        DestinationOption(name="md5_hash", help="the content's MD5, in base64"),
        DestinationOption(name="checksum", help="true: take CRC32C and compare"),
        DestinationOption(name="part_size", help="bytes per part, a multiple of 262144"),
        DestinationOption(name="anonymous", help="true: send no credential, as emulators want it"),
        DestinationOption(name="endpoint_url", help=f"another endpoint than {API_URL}"),
        DestinationOption(name="account", help="a name of your own for whose upload it is"),
    )

    @property
    def capabilities(self) -> Capabilities:
        return capabilities(None, checksum=False)

    def destination(self, access_token: Secret | None, fields: Mapping[str, Any]) -> GcsObject:
        """Build an object. Without a token the application default credentials serve."""
        given = options.given(self.name, fields, [option.name for option in self.options])
        for name in ("bucket", "name"):
            if not given.get(name):
                raise ConfigurationError(f"no {name} is given")
        given.update(
            {name: options.number(name, given[name]) for name in _NUMBERS if name in given}
        )
        for name in ("anonymous", "checksum"):
            if name in given:
                given[name] = options.switch(name, given[name])
        if isinstance(given.get("metadata"), str):
            given["metadata"] = _pairs(given["metadata"])
        if access_token is not None:
            return GcsObject(access_token=access_token, **given)
        credentials = None if given.get("anonymous") else GoogleCredentials()
        return GcsObject(credentials=credentials, **given)

    def locate(self, url: str) -> Mapping[str, Any]:
        """Return the bucket and the name that `gs://bucket/name` stands for."""
        parts = urlsplit(url)
        # What follows a # or a ? belongs to the name: these addresses have no such parts.
        _, _, name = url.partition("://")[2].partition("/")
        if parts.scheme != "gs" or not parts.netloc or not name:
            raise ConfigurationError(f"{url!r} names no object").hint("write gs://bucket/name")
        return {"bucket": unquote(parts.netloc), "name": name}

    def sandbox(self, *, port: int = 0) -> None:
        """Return nothing: gcp-storage-emulator and fake-gcs-server are local stand-ins."""


def _pairs(text: str) -> dict[str, str]:
    pairs = [pair.partition("=") for pair in text.split(",")]
    if not all(name and equals for name, equals, _ in pairs):
        raise ConfigurationError("metadata is written key=value,key=value")
    return {name: value for name, _, value in pairs}


GCS = GcsFactory()
