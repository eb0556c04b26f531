"""The faces: one engine, seen from synchronous code and from asyncio."""

import logging

from uploader.api.asynchronous import AsyncUploader
from uploader.api.handle import UploadHandle
from uploader.api.synchronous import Uploader

# Without one, Python would print our warnings to the stderr of a host that configured nothing.
logging.getLogger("uploader").addHandler(logging.NullHandler())

__all__ = ["AsyncUploader", "UploadHandle", "Uploader"]
