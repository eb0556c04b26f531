"""A real S3 server for tests, and a client that is not ours to look into it with."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from tests.s3.gate import REGION, Account
from transports.s3 import S3Limits, S3Object
from uploader.testing.transports import Held

HERE = Path(__file__).resolve().parents[2]
OWNER = Account("AKIAOWNEROWNEROWNER1", "the/owner+secret/key0123456789abcdefghij")
GUEST = Account("ASIAGUESTGUESTGUEST1", "guest-secret-0123456789", "guest-token-0123456789")
LATE = Account("ASIALATELATELATELATE", "late-secret-0123456789", "late-token-0123", expired=True)
OWNER_PROFILE = "owner"
ACCOUNTS = (OWNER, GUEST, LATE)
PART = 64 * 1024
LIMITS = S3Limits(min_part=PART)


class S3Server:
    """The process, its log, and a look into it by boto3."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._file: IO[bytes] | None = None
        self._process: subprocess.Popen[str] | None = None
        self.url = ""

    def __enter__(self) -> Self:
        self._file = self._log.open("wb")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.s3.server"],
            cwd=HERE,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._file,
        )
        self.url = self._hear()["url"]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
        if self._file is not None:
            self._file.close()

    def set_clock(self, ahead: float) -> None:
        """Let the server's clock be so many seconds ahead of this machine's."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"ahead": ahead}) + "\n")
        self._process.stdin.flush()
        self._hear()

    def client(self) -> Any:
        """Return boto3's client, as another user of the server."""
        import boto3
        from botocore.config import Config

        return boto3.client(
            "s3",
            region_name=REGION,
            endpoint_url=self.url,
            aws_access_key_id=OWNER.key_id,
            aws_secret_access_key=OWNER.secret,
            config=Config(
                s3={"addressing_style": "path"},
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )

    def _hear(self) -> dict[str, Any]:
        assert self._process is not None
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"the server did not start:\n{self._log.read_text()[-2000:]}"
        heard: dict[str, Any] = json.loads(line)
        return heard


class Bucket:
    """One bucket of the server."""

    def __init__(self, client: Any, name: str) -> None:
        self.client = client
        self.name = name
        client.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})

    def read(self, key: str) -> bytes:
        """Return an object's bytes."""
        found: bytes = self.client.get_object(Bucket=self.name, Key=key)["Body"].read()
        return found

    def head(self, key: str) -> dict[str, Any]:
        """Return an object's facts."""
        found: dict[str, Any] = self.client.head_object(
            Bucket=self.name, Key=key, ChecksumMode="ENABLED"
        )
        return found

    def held(self, key: str) -> list[Held]:
        """Return the object of this key, if there is one."""
        listed = self.client.list_objects_v2(Bucket=self.name, Prefix=key).get("Contents", [])
        if key not in [each["Key"] for each in listed]:
            return []
        content = self.read(key)
        return [Held(key, len(content), hashlib.sha256(content).hexdigest())]

    def open_uploads(self, key: str | None = None) -> list[str]:
        """Return the ids of uploads that were neither completed nor aborted."""
        listed = self.client.list_multipart_uploads(Bucket=self.name).get("Uploads", [])
        return [each["UploadId"] for each in listed if key in (None, each["Key"])]


def by_profile(url: str, bucket: str, key: str, **fields: Any) -> S3Object:
    """Return a destination that another process can build again: botocore knows the profile."""
    chain = {"access_key_id": None, "secret_access_key": None, "profile": OWNER_PROFILE}
    return destination(url, bucket, key, **{**chain, **fields})


def destination(url: str, bucket: str, key: str, **fields: Any) -> S3Object:
    """Return a destination on the server, with the owner's keys and parts of 64 KiB."""
    given: dict[str, Any] = {
        "region": REGION,
        "endpoint_url": url,
        "access_key_id": OWNER.key_id,
        "secret_access_key": OWNER.secret,
        "part_size": PART,
        "limits": LIMITS,
        **fields,
    }
    return S3Object(
        bucket, key, **{name: value for name, value in given.items() if value is not None}
    )
