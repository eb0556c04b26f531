"""moto's S3 as a process of its own, behind the gate.

    python -m tests.s3.server        a line of JSON with its URL, then one for each line of stdin

Rule: it ends when its stdin does.
"""

import json
import os
import sys
from datetime import timedelta
from importlib.machinery import ModuleSpec
from threading import Thread
from types import ModuleType
from typing import Any

import google_crc32c

MIN_PART = 64 * 1024
"""S3's own 5 MiB would make every test upload of three parts one of 15 MiB."""


def say(value: dict[str, Any]) -> None:
    """Write one line of JSON."""
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Serve until stdin ends."""
    os.environ["S3_UPLOAD_PART_MIN_SIZE"] = str(MIN_PART)
    # Without a module of this name, moto puts CRC32 in the place of CRC32C.
    crc32c: Any = sys.modules.setdefault("crc32c", ModuleType("crc32c"))
    crc32c.__spec__ = ModuleSpec("crc32c", None)
    crc32c.crc32c = google_crc32c.value
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    from tests.s3.gate import Gate
    from tests.s3.rig import ACCOUNTS

    app: Any = DomainDispatcherApplication(create_backend_app)
    gate = Gate(app, ACCOUNTS)
    server = make_server("127.0.0.1", 0, gate, threaded=True)
    Thread(target=server.serve_forever, daemon=True).start()
    say({"url": f"http://127.0.0.1:{server.server_port}"})
    for line in sys.stdin:
        gate.ahead = timedelta(seconds=json.loads(line)["ahead"])
        say({})


if __name__ == "__main__":
    main()
