"""Where the bytes come from: a mapping of the file where that is safe, pooled buffers otherwise."""

from uploader.source.contract import Source, Window
from uploader.source.opening import SourceInput, SourceMode, describe, descriptor_of, open_source
from uploader.source.sharing import OneRead
from uploader.source.threads import to_its_end

__all__ = [
    "OneRead",
    "Source",
    "SourceInput",
    "SourceMode",
    "Window",
    "describe",
    "descriptor_of",
    "open_source",
    "to_its_end",
]
