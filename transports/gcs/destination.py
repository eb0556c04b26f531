"""What users construct to say: put this into a bucket.

Rule: wrong fields are refused when the object is made, before anything is sent.
"""

from __future__ import annotations

import base64
import dataclasses
import re
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, ClassVar, Final

from transports.endpoints import checked_endpoint
from transports.gcs.limits import MAX_BUCKET, MAX_METADATA, MAX_NAME, capabilities
from transports.gcs.protocol import GcsTransport, PlainGcsTransport
from transports.options import check_token
from uploader.errors import ConfigurationError
from uploader.secret import Secret, masks
from uploader.transport import CredentialSource

API_URL: Final = "https://storage.googleapis.com"

PREDEFINED_ACLS: Final = (
    "authenticatedRead",
    "bucketOwnerFullControl",
    "bucketOwnerRead",
    "private",
    "projectPrivate",
    "publicRead",
)
"""https://cloud.google.com/storage/docs/json_api/v1/objects/insert#parameters"""

# https://cloud.google.com/storage/docs/buckets#naming
_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9._-]+[a-z0-9]", re.ASCII)
_CLASS: Final = re.compile(r"[A-Z][A-Z_]*", re.ASCII)
_TYPE: Final = re.compile(r"[\w.+-]+/[\w.+*-]+( *; *[\w.+-]+=[^\r\n;]+)*", re.ASCII)

_RESOURCE: Final = {
    "cache_control": "cacheControl",
    "content_disposition": "contentDisposition",
    "content_encoding": "contentEncoding",
    "content_language": "contentLanguage",
    "storage_class": "storageClass",
    "metadata": "metadata",
}
"""Fields of the object's metadata, by Cloud Storage's names."""
_QUERY: Final = {
    "if_generation_match": "ifGenerationMatch",
    "kms_key_name": "kmsKeyName",
    "predefined_acl": "predefinedAcl",
    "user_project": "userProject",
}
"""Parameters of the request, by Cloud Storage's names."""


@masks("access_token")
@dataclass(frozen=True)
class GcsObject:
    """Put an object into a bucket of Google Cloud Storage.

    The token comes from `credentials` (`GoogleCredentials()` are the application default ones) or
    is `access_token`; an emulator wants neither: `anonymous`. `if_generation_match=0` refuses to
    overwrite. `checksum` has every part's CRC32C taken and compares them with the stored object's;
    `crc32c` and `md5_hash` are sums of the whole content that are known beforehand, in base64, and
    Cloud Storage refuses content that has others. `part_size` is in bytes, a multiple of 256 KiB.
    Raises `ConfigurationError`.
    Fields: https://cloud.google.com/storage/docs/json_api/v1/objects#resource
    """

    bucket: str
    name: str
    _: KW_ONLY
    account: str | None = None
    access_token: Secret | str | None = field(default=None, repr=False)
    credentials: CredentialSource | None = field(default=None, repr=False)
    anonymous: bool = False
    content_type: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict, hash=False)
    storage_class: str | None = None
    predefined_acl: str | None = None
    cache_control: str | None = None
    content_disposition: str | None = None
    content_encoding: str | None = None
    content_language: str | None = None
    if_generation_match: int | None = None
    kms_key_name: str | None = None
    user_project: str | None = None
    crc32c: str | None = None
    md5_hash: str | None = None
    checksum: bool = False
    part_size: int | None = None
    endpoint_url: str = API_URL

    accountless: ClassVar[bool] = True

    def __post_init__(self) -> None:
        _check_place(self.bucket, self.name)
        _check_metadata(self.metadata)
        if self.predefined_acl is not None and self.predefined_acl not in PREDEFINED_ACLS:
            raise ConfigurationError(f"there is no predefined ACL {self.predefined_acl!r}").hint(
                f"choose one of {', '.join(PREDEFINED_ACLS)}"
            )
        if self.storage_class is not None and not _CLASS.fullmatch(self.storage_class):
            raise ConfigurationError(f"{self.storage_class!r} is no storage class").hint(
                "write STANDARD, NEARLINE, COLDLINE or ARCHIVE"
            )
        if self.content_type is not None and not _TYPE.fullmatch(self.content_type):
            raise ConfigurationError(f"{self.content_type!r} is no media type")
        if self.if_generation_match is not None and self.if_generation_match < 0:
            raise ConfigurationError(f"there is no generation {self.if_generation_match}")
        _check_sum("crc32c", self.crc32c, 4)
        _check_sum("md5_hash", self.md5_hash, 16)
        self._check_credentials()
        endpoint = checked_endpoint(self.endpoint_url, example=API_URL, plain=self.anonymous)
        object.__setattr__(self, "endpoint_url", endpoint)
        capabilities(self.part_size, checksum=self.checksum)

    @property
    def origin(self) -> str:
        return self.endpoint_url

    def fields(self) -> dict[str, Any]:
        """Return what `GcsObject(**fields)` makes this object of again, the credential aside."""
        plain = {
            each.name: getattr(self, each.name)
            for each in dataclasses.fields(self)
            if each.name not in ("access_token", "credentials")
        }
        plain["metadata"] = dict(self.metadata) or None
        return {name: value for name, value in plain.items() if value is not None}

    def identity_fields(self) -> dict[str, Any]:
        given = self.fields()
        apart = ("account", "anonymous", "checksum", "endpoint_url", "part_size")
        return {name: value for name, value in given.items() if name not in apart}

    def transport(self) -> GcsTransport:
        sums = {"crc32c": self.crc32c, "md5Hash": self.md5_hash}
        resource = _named(_RESOURCE, self)
        known = {name: value for name, value in sums.items() if value is not None}
        is_plain = not resource and not known and self.if_generation_match is None
        kind = PlainGcsTransport if is_plain else GcsTransport
        return kind(
            bucket=self.bucket,
            object_name=self.name,
            endpoint=self.endpoint_url,
            capabilities=capabilities(self.part_size, checksum=self.checksum),
            type=self.content_type,
            auth=None if self.anonymous else "bearer",
            resource=resource,
            query_fields={name: str(value) for name, value in _named(_QUERY, self).items()},
            sums=known,
        )

    def _check_credentials(self) -> None:
        token = self.access_token
        if self.anonymous and (token is not None or self.credentials is not None):
            raise ConfigurationError("a credential is given, and anonymous=True says to use none")
        check_token(token)


def _named(names: Mapping[str, str], place: GcsObject) -> dict[str, Any]:
    """Return what is given of some fields, by Cloud Storage's names."""
    found = {theirs: getattr(place, ours) for ours, theirs in names.items()}
    return {name: value for name, value in found.items() if value is not None and value != {}}


def _check_place(bucket: str, name: str) -> None:
    if not _BUCKET.fullmatch(bucket) or not 3 <= len(bucket) <= MAX_BUCKET:
        raise ConfigurationError(f"{bucket!r} is no bucket name").hint(
            "3 to 63 lower-case letters, digits, dashes, underscores and dots"
        )
    # https://cloud.google.com/storage/docs/objects#naming
    length = len(name.encode("utf-8", "surrogatepass"))
    if not 1 <= length <= MAX_NAME:
        raise ConfigurationError(
            f"the object's name has {length:,} bytes in UTF-8, 1 to {MAX_NAME:,} are taken"
        )
    unencodable = any(0xD800 <= ord(character) <= 0xDFFF for character in name)
    if name in (".", "..") or "\r" in name or "\n" in name or unencodable:
        raise ConfigurationError("the object's name is . or .., or holds a line end or half a sign")
    if name.startswith(".well-known/acme-challenge/"):
        raise ConfigurationError("the object's name begins with .well-known/acme-challenge/")


def _check_metadata(metadata: Mapping[str, str]) -> None:
    if not all(isinstance(text, str) for pair in metadata.items() for text in pair):
        raise ConfigurationError("metadata holds something that is no text")
    total = sum(len(text.encode()) for pair in metadata.items() for text in pair)
    if total > MAX_METADATA:
        raise ConfigurationError(
            f"the metadata has {total:,} bytes, Cloud Storage takes {MAX_METADATA:,}"
        )


def _check_sum(name: str, value: str | None, length: int) -> None:
    if value is None:
        return
    try:
        found = len(base64.b64decode(value, validate=True))
    except ValueError:
        found = -1
    if found != length:
        raise ConfigurationError(f"{name} is not the base64 of {length} bytes").hint(
            "Cloud Storage writes sums in base64, CRC32C with the high byte first"
        )
