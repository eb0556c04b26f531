"""A process that uploads, to be killed: `python -m tests.tus.child '{"film": …}'`."""

from __future__ import annotations

import json
import sys

from transports.tus import TusUpload
from uploader import Uploader


def main() -> None:
    """Upload as the one JSON argument says, and print the result."""
    order = json.loads(sys.argv[1])
    with Uploader(journal=order["journal"], metrics=False) as uploader:
        result = uploader.upload(order["film"], TusUpload(**order["to"]))
    json.dump(result.to_dict(), sys.stdout)


if __name__ == "__main__":
    main()
