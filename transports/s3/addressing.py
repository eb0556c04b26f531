"""Where an object is: the URL of a bucket's key, in both of S3's styles.

Rule: pure; a key is escaped once, as SigV4 counts it, and never normalised: `a//b`, `/a` and `a+b`
are keys of their own.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlsplit

from transports.endpoints import checked_endpoint
from uploader.errors import ConfigurationError

STYLES: Final = ("auto", "path", "virtual")
MAX_KEY: Final = 1024
"""Bytes of UTF-8: https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html"""
# Buckets made before 2018, and those of other servers, may have capitals and underscores.
_BUCKET: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]", re.ASCII)
# A dot would leave the certificate of *.s3.REGION.amazonaws.com.
_LABEL: Final = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]", re.ASCII)
_REGION: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
_DOMAINS: Final = {"cn-": "amazonaws.com.cn", "eusc-": "amazonaws.eu"}


@dataclass(frozen=True, slots=True)
class Place:
    """One key of one bucket. `url` is the object's own, `origin` the service's."""

    bucket: str
    key: str
    region: str
    origin: str
    url: str


def place(
    bucket: str, key: str, *, region: str, endpoint_url: str | None, addressing: str
) -> Place:
    """Return where the object is, or raise `ConfigurationError`."""
    _check_bucket(bucket)
    _check_key(key)
    if not _REGION.fullmatch(region):
        raise ConfigurationError(f"{region[:64]!r} is no region").hint(
            "give one such as eu-central-1, or the one that the server was configured with"
        )
    if addressing not in STYLES:
        raise ConfigurationError(f"there is no addressing {addressing!r}").hint(
            f"choose one of {', '.join(STYLES)}"
        )
    endpoint = endpoint_url or f"https://s3.{region}.{_domain(region)}"
    endpoint = checked_endpoint(endpoint, example="https://minio.example.com:9000", plain=True)
    parts = urlsplit(endpoint)
    fits = _LABEL.fullmatch(bucket) is not None
    if addressing == "virtual" and not fits:
        raise ConfigurationError(
            f"the bucket's name {bucket!r} cannot be part of a host's name"
        ).hint('use addressing="path"')
    path = quote(key, safe="/-_.~")
    if addressing == "virtual" or (addressing == "auto" and fits and endpoint_url is None):
        url = f"{parts.scheme}://{bucket}.{parts.netloc}{parts.path}/{path}"
    else:
        url = f"{endpoint}/{bucket}/{path}"
    return Place(bucket, key, region, f"{parts.scheme}://{parts.netloc}", url)


def locate(url: str) -> dict[str, str]:
    """Return bucket and key of `s3://bucket/key`; the key is taken as it stands, unescaped."""
    scheme, found, rest = url.partition("://")
    bucket, _, key = rest.partition("/")
    if scheme.lower() != "s3" or not found or not bucket or not key:
        raise ConfigurationError("the URL names no bucket and key").hint(
            "write it as s3://bucket/key"
        )
    return {"bucket": bucket, "key": key}


def _domain(region: str) -> str:
    for prefix, domain in _DOMAINS.items():
        if region.startswith(prefix):
            return domain
    return "amazonaws.com"


def _check_bucket(bucket: str) -> None:
    if bucket.startswith("arn:"):
        raise ConfigurationError("the bucket is an ARN").hint(
            "give the access point's alias, which is used like a bucket's name"
        )
    if bucket.endswith("--x-s3"):
        raise ConfigurationError(
            f"{bucket[:255]!r} is a directory bucket, which wants sessions of its own"
        ).hint("use a general purpose bucket")
    if not _BUCKET.fullmatch(bucket):
        raise ConfigurationError(f"{bucket[:255]!r} is no bucket's name").hint(
            "it has 3 to 63 letters, digits, hyphens and dots"
        )


def _check_key(key: str) -> None:
    try:
        length = len(key.encode())
    except UnicodeEncodeError:
        raise ConfigurationError("the key holds half a character, which UTF-8 has not") from None
    if not length:
        raise ConfigurationError("the key is empty")
    if length > MAX_KEY:
        raise ConfigurationError(f"the key has {length:,} bytes, S3 takes {MAX_KEY:,}")
