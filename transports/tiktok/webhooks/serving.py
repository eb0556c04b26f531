"""An aiohttp handler for TikTok's callback URL.

Rule: answers 200 as soon as the notice is kept, and does what blocks on a worker thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from transports.tiktok.webhooks.notices import MAX_BODY, WebhookRefusedError
from transports.tiktok.webhooks.receiver import WebhookReceiver
from uploader.errors import JournalError

if TYPE_CHECKING:
    from aiohttp import web


def aiohttp_handler(
    receiver: WebhookReceiver,
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Return a handler: `app.router.add_post("/tiktok", aiohttp_handler(receiver))`."""
    from aiohttp import web

    async def handler(request: web.Request) -> web.StreamResponse:
        try:
            body = await request.content.read(MAX_BODY + 1)
            while len(body) <= MAX_BODY and (more := await request.content.read(MAX_BODY)):
                body += more
            await asyncio.to_thread(receiver.receive, request.headers, body)
        except WebhookRefusedError as refused:
            return web.Response(status=refused.status)
        except JournalError:
            return web.Response(status=503)
        return web.Response()

    return handler
