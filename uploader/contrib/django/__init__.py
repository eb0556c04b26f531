"""The uploader in a Django project: journal and tokens in its database, set by `UPLOADER`.

Rule: importing this needs no configured Django and no loaded app; models load on first use.
"""

from __future__ import annotations
