"""Drives transports' flows over a wire: retries, resyncs, counts, and tells what happened."""

from uploader.engine.core import Engine
from uploader.engine.prepare import Prepared, prepare
from uploader.engine.settings import Clock, Settings, SystemClock

__all__ = ["Clock", "Engine", "Prepared", "Settings", "SystemClock", "prepare"]
