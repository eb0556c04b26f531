"""The faces: one engine, seen from synchronous code and from asyncio."""

from uploader.api.asynchronous import AsyncUploader
from uploader.api.handle import UploadHandle
from uploader.api.synchronous import Uploader

__all__ = ["AsyncUploader", "UploadHandle", "Uploader"]
