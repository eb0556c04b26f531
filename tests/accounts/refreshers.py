"""Run as a program: processes that upload for one account, all let go at once.

It reads its order from stdin and writes one line for each process: how its upload ended.
"""

import importlib
import json
import os
import sys
from typing import Any

from transports.tiktok import DirectPost
from transports.tiktok.accounts import TikTokAccounts
from uploader import Uploader
from uploader.accounts import FileTokenStore

COUNT = 8


def upload(order: dict[str, Any], number: int) -> dict[str, Any]:
    """Upload once, as a process that shares nothing with the others but the store."""
    accounts = TikTokAccounts(
        FileTokenStore(order["store"]),
        order["client_key"],
        order["client_secret"],
        base_url=order["base_url"],
        metrics=False,
    )
    post = DirectPost(
        account="acme",
        title=f"post {number}",
        privacy_level="SELF_ONLY",
        base_url=order["base_url"],
    )
    with Uploader(credentials=accounts, metrics=False) as uploader:
        return uploader.upload(order["film"], post).to_dict()


def main() -> None:
    """Fork, let all go at once, and wait for them."""
    order = json.loads(sys.stdin.buffer.read())
    for name in ("aiofiles", "uvloop", "uploader.wire.aiohttp_wire", "uploader.instruments.logs"):
        importlib.import_module(name)  # once, instead of in each
    gate, opening = os.pipe()
    children = []
    for number in range(COUNT):
        child = os.fork()
        if not child:
            os.close(opening)
            os.read(gate, 1)  # the end of the pipe: the parent has let go
            told = upload(order, number)
            os.write(1, json.dumps([told["outcome"], told["error"]]).encode() + b"\n")
            os._exit(0)
        children.append(child)
    os.close(opening)
    for child in children:
        os.waitpid(child, 0)


if __name__ == "__main__":
    main()
