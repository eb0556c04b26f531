"""TikTok's webhooks: what is genuine, what it says, and what becomes of it.

`handle` is for any view: headers and raw body in, an event or a refusal out. `WebhookReceiver` also
resolves uploads in a journal, and `aiohttp_handler` serves one.

    def tiktok(request):                                     # Django
        receiver.receive(request.headers, request.body)
        return HttpResponse()

    @app.post("/tiktok")                                     # FastAPI
    async def tiktok(request: Request) -> None:
        await asyncio.to_thread(receiver.receive, request.headers, await request.body())

Rule: an edge. A refusal is a `WebhookRefusedError` with the HTTP status to answer.
"""

from __future__ import annotations

from transports.tiktok.webhooks.inbox import FileInbox, Inbox, MemoryInbox
from transports.tiktok.webhooks.notices import WebhookEvent, WebhookRefusedError, handle, sign
from transports.tiktok.webhooks.receiver import Received, WebhookReceiver
from transports.tiktok.webhooks.serving import aiohttp_handler

__all__ = [
    "FileInbox",
    "Inbox",
    "MemoryInbox",
    "Received",
    "WebhookEvent",
    "WebhookReceiver",
    "WebhookRefusedError",
    "aiohttp_handler",
    "handle",
    "sign",
]
