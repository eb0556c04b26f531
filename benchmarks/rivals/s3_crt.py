"""The AWS Common Runtime by s3transfer: parts are read, summed and sent by a library in C.

Rule: s3transfer's own manager, since boto3 sends the runtime's transfers to AWS whatever the
endpoint. The runtime takes no port beside the scheme's own, so the sink must listen there. How many
connections it opens is its own choice, as its users get it.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import botocore.session
from awscrt.auth import AwsCredentialsProvider
from botocore.config import Config
from s3transfer.crt import (
    BotocoreCRTRequestSerializer,
    CRTTransferManager,
    create_s3_crt_client,
)

from benchmarks.contender import Contender, Job
from benchmarks.rivals.exchange import AnswerError


class CommonRuntime(Contender):
    """One client; the runtime's threads start with it."""

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        if urlsplit(job.origin).port is not None:
            raise AnswerError("the runtime takes no endpoint with a port, and 80 is not free")
        region = "us-east-1"
        client = create_s3_crt_client(
            region=region,
            use_ssl=job.tls,
            verify=job.authority,
            crt_credentials_provider=AwsCredentialsProvider.new_static("bench", "bench"),
            part_size=job.chunk_size,
        )
        path_style = Config(s3={"addressing_style": "path"})
        serializer = BotocoreCRTRequestSerializer(
            botocore.session.Session(),
            {"region_name": region, "endpoint_url": job.origin, "config": path_style},
        )
        self._manager = CRTTransferManager(client, serializer)

    def upload(self, path: Path, title: str) -> None:
        """Store one file; raises unless it was completed."""
        self._manager.upload(str(path), "bench", "clip").result()


def make(job: Job) -> Contender:
    """Return the contender."""
    return CommonRuntime(job)
