"""What users construct to say: put this file under that key of that bucket.

Rule: wrong fields are refused when the object is made, before anything is sent.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, ClassVar, Final

from transports.s3.addressing import Place, place
from transports.s3.checksums import NONE, checksum_named
from transports.s3.credentials import AwsCredentials, default_region
from transports.s3.limits import MAX_LANES, PART_SIZE, S3Limits
from transports.s3.protocol import S3Transport
from uploader.errors import ConfigurationError
from uploader.secret import Secret, masks
from uploader.transport import CredentialSource

MAX_METADATA: Final = 2048
"""Bytes of names and values: https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html"""
# https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateMultipartUpload.html
ENCRYPTIONS: Final = ("AES256", "aws:kms", "aws:kms:dsse")
ACLS: Final = (
    "private",
    "public-read",
    "public-read-write",
    "authenticated-read",
    "aws-exec-read",
    "bucket-owner-read",
    "bucket-owner-full-control",
)
_HEADERS: Final = {
    "acl": "x-amz-acl",
    "cache_control": "Cache-Control",
    "content_disposition": "Content-Disposition",
    "server_side_encryption": "x-amz-server-side-encryption",
    "sse_kms_key_id": "x-amz-server-side-encryption-aws-kms-key-id",
    "storage_class": "x-amz-storage-class",
}
_KEYS: Final = ("access_key_id", "secret_access_key", "session_token")
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+", re.ASCII)
_VALUE: Final = re.compile(r"[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?", re.ASCII)


@masks(*_KEYS)
@dataclass(frozen=True)
class S3Object:
    """Put a file under one key of a bucket, on AWS or another server that speaks S3.

    Credentials are what botocore finds (environment, `profile`, container, instance), unless
    `access_key_id` and `secret_access_key` are given, or `credentials`, a callable that returns an
    `S3Credential`. With `default_chain=False` botocore is not asked: the uploader's own
    `credentials` sign. A `region` that is not given is the environment's or the profile's, else
    us-east-1.

    `checksum` is "crc32c", "sha256", which is also what is signed, or `None` for servers that know
    none. `addressing` is "virtual" (the bucket in the host's name), "path", or "auto": virtual for
    AWS, path for an `endpoint_url`. `part_size` is in bytes. Raises `ConfigurationError`.
    """

    bucket: str
    key: str
    _: KW_ONLY
    region: str | None = None
    endpoint_url: str | None = None
    addressing: str = "auto"
    account: str | None = None
    profile: str | None = None
    access_key_id: Secret | str | None = field(default=None, repr=False)
    secret_access_key: Secret | str | None = field(default=None, repr=False)
    session_token: Secret | str | None = field(default=None, repr=False)
    credentials: CredentialSource | None = field(default=None, repr=False, compare=False)
    default_chain: bool = True
    content_type: str | None = None
    cache_control: str | None = None
    content_disposition: str | None = None
    storage_class: str | None = None
    acl: str | None = None
    server_side_encryption: str | None = None
    sse_kms_key_id: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    checksum: str | None = "crc32c"
    part_size: int = PART_SIZE
    max_lanes: int = MAX_LANES
    limits: S3Limits = field(default_factory=S3Limits, repr=False)

    accountless: ClassVar[bool] = True
    access_token: ClassVar[None] = None

    def __post_init__(self) -> None:
        self._check_keys()
        self._check_headers()
        if self.region is None:
            object.__setattr__(self, "region", default_region(self.profile))
        self.transport()
        # A copy by `dataclasses.replace` signs for its own region and profile.
        if self.credentials is None or isinstance(self.credentials, AwsCredentials):
            object.__setattr__(self, "credentials", self._own_credentials())

    @property
    def origin(self) -> str:
        return self._place().origin

    def fields(self) -> dict[str, Any]:
        """Return what `S3Object(**fields)` makes this object of again, credentials aside.

        Where keys or a callable were given, the uploader's own `credentials` take their place.
        """
        plain = {
            each.name: getattr(self, each.name)
            for each in dataclasses.fields(self)
            if each.name not in (*_KEYS, "credentials", "limits", "metadata", "checksum")
        }
        kept = {name: value for name, value in plain.items() if value is not None}
        kept["checksum"] = self.checksum or NONE
        kept["default_chain"] = (
            isinstance(self.credentials, AwsCredentials) and self.access_key_id is None
        )
        if self.metadata:
            kept["metadata"] = dict(self.metadata)
        if self.limits != S3Limits():
            kept["limits"] = dataclasses.asdict(self.limits)
        return kept

    def identity_fields(self) -> dict[str, Any]:
        return {
            "bucket": self.bucket,
            "key": self.key,
            "content_type": self.content_type,
            "headers": dict(self._object_headers()),
        }

    def transport(self) -> S3Transport:
        checksum = checksum_named(self.checksum)
        place = self._place()
        digests = {checksum.name} if checksum is not None else set()
        if checksum is None and not place.url.startswith("https:"):
            # Neither TLS nor a checksum would notice a changed byte: its hash is signed.
            digests = {"sha256"}
        return S3Transport(
            place=place,
            capabilities=self.limits.capabilities(
                part_size=self.part_size, max_lanes=self.max_lanes, digests=digests
            ),
            checksum=checksum,
            media_type=self.content_type,
            headers=self._object_headers(),
        )

    def _place(self) -> Place:
        return place(
            self.bucket,
            self.key,
            region=self.region or "",
            endpoint_url=self.endpoint_url,
            addressing=self.addressing,
        )

    def _own_credentials(self) -> AwsCredentials | None:
        if self.access_key_id is None and not self.default_chain:
            return None
        keys = tuple(Secret(getattr(self, name) or "") for name in _KEYS)
        return AwsCredentials(
            region=self.region or "",
            profile=self.profile,
            keys=keys if self.access_key_id is not None else None,
        )

    def _object_headers(self) -> dict[str, str]:
        headers = {
            header: value
            for name, header in _HEADERS.items()
            if (value := getattr(self, name)) is not None
        }
        return headers | {
            f"x-amz-meta-{name.lower()}": value for name, value in self.metadata.items()
        }

    def _check_keys(self) -> None:
        given = [name for name in _KEYS if getattr(self, name) is not None]
        if given and not {"access_key_id", "secret_access_key"} <= set(given):
            raise ConfigurationError(f"{' and '.join(given)} alone signs nothing").hint(
                "give access_key_id and secret_access_key, and session_token where they have one"
            )
        for name in given:
            secret = Secret(getattr(self, name))
            if not secret or not secret.fits_a_header():
                raise ConfigurationError(
                    f"{name} is empty, or holds a line end, a space or another character that no"
                    " header takes"
                )
        rival = self.credentials is not None and not isinstance(self.credentials, AwsCredentials)
        if given and rival:
            raise ConfigurationError("both keys and credentials are given")
        if given and self.profile is not None:
            raise ConfigurationError("both keys and a profile are given")

    def _check_headers(self) -> None:
        for name in ("content_type", *_HEADERS):
            value = getattr(self, name)
            if value is not None and not _VALUE.fullmatch(value):
                raise ConfigurationError(f"{name} is no value that a header takes")
        if self.acl is not None and self.acl not in ACLS:
            raise ConfigurationError(f"there is no canned ACL {self.acl!r}").hint(
                f"choose one of {', '.join(ACLS)}"
            )
        encryption = self.server_side_encryption
        if encryption is not None and encryption not in ENCRYPTIONS:
            raise ConfigurationError(f"there is no encryption {encryption!r}").hint(
                f"choose one of {', '.join(ENCRYPTIONS)}"
            )
        if self.sse_kms_key_id is not None and not (encryption or "").startswith("aws:kms"):
            raise ConfigurationError("a KMS key is given, but no encryption that uses it").hint(
                'give server_side_encryption="aws:kms" as well'
            )
        for name, value in self.metadata.items():
            if not _TOKEN.fullmatch(name.lower()) or not (value == "" or _VALUE.fullmatch(value)):
                raise ConfigurationError(f"the metadata {name[:64]!r} does not fit a header").hint(
                    "S3 takes visible ASCII; encode anything else, such as by percent signs"
                )
        total = sum(len(name) + len(value) for name, value in self.metadata.items())
        if total > MAX_METADATA:
            raise ConfigurationError(f"the metadata has {total:,} bytes, S3 takes {MAX_METADATA:,}")
