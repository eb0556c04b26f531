"""What the entry point `s3` loads: how commands build this destination.

Rule: cheap to import; botocore loads when something must be signed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from transports.s3.addressing import locate
from transports.s3.destination import S3Object
from transports.s3.limits import S3Limits
from uploader.errors import ConfigurationError
from uploader.secret import Secret
from uploader.transport import Capabilities, DestinationOption

_NUMBERS = ("part_size", "max_lanes")


class S3Factory:
    """Objects on S3, and on servers that speak it."""

    name = "s3"
    summary = "S3 multipart upload: AWS, MinIO, R2, Ceph and others that speak it"
    token_variable = ""  # botocore knows its own variables, files and servers
    schemes = ("s3",)
    options = (
        DestinationOption(name="bucket", help="the bucket's name", required=True),
        DestinationOption(name="key", help="the object's key", required=True),
        DestinationOption(name="region", help="the bucket's region"),
        DestinationOption(name="endpoint_url", help="another server than AWS"),
        DestinationOption(name="addressing", help="auto, path or virtual"),
        DestinationOption(name="account", help="a name for whose object it is"),
        DestinationOption(name="profile", help="the profile of AWS's configuration"),
        DestinationOption(name="content_type", help="the media type, else told by the content"),
        DestinationOption(name="cache_control", help="the header Cache-Control"),
        DestinationOption(name="content_disposition", help="the header Content-Disposition"),
        DestinationOption(name="storage_class", help="such as STANDARD_IA"),
        DestinationOption(name="acl", help="a canned ACL, such as private"),
        DestinationOption(name="server_side_encryption", help="AES256, aws:kms or aws:kms:dsse"),
        DestinationOption(name="sse_kms_key_id", help="the KMS key's id or ARN"),
        DestinationOption(name="checksum", help="crc32c, sha256 or none"),
        DestinationOption(name="part_size", help="bytes per part"),
        DestinationOption(name="max_lanes", help="parts on their way at once"),
    )

    @property
    def capabilities(self) -> Capabilities:
        return S3Limits().capabilities(digests=("crc32c",))

    def locate(self, url: str) -> Mapping[str, Any]:
        """Return bucket and key of `s3://bucket/key`."""
        return locate(url)

    def destination(self, access_token: Secret | None, fields: Mapping[str, Any]) -> S3Object:
        """Build an object's destination. Fields that are `None` count as not given."""
        if access_token is not None:
            raise ConfigurationError("s3 takes no access token").hint(
                "it signs with what botocore finds: AWS_ACCESS_KEY_ID, a profile, a role"
            )
        given = {name: value for name, value in fields.items() if value is not None}
        for name in ("bucket", "key"):
            if not given.get(name):
                raise ConfigurationError(f"no {name} is given")
        for name in _NUMBERS:
            if isinstance(given.get(name), str):
                given[name] = _number(name, given[name])
        if isinstance(given.get("limits"), Mapping):
            given["limits"] = S3Limits(**given["limits"])
        try:
            return S3Object(**given)
        except TypeError:
            unknown = sorted(set(given) - {option.name for option in self.options})
            raise ConfigurationError(f"s3 has no options {', '.join(unknown)}") from None

    def sandbox(self, *, port: int = 0) -> Any:
        return None


S3 = S3Factory()


def _number(name: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ConfigurationError(f"{name} is no number: {text[:32]!r}") from None
