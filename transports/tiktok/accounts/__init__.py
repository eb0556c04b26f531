"""TikTok accounts: whose tokens are at hand, kept fresh, and how an account logs in.

Rule: an edge: it may block and do I/O. `Uploader(credentials=TikTokAccounts(...))` is its use.
"""

from __future__ import annotations

from transports.tiktok.accounts.keeping import TikTokAccounts
from transports.tiktok.accounts.login import Login

__all__ = ["Login", "TikTokAccounts"]
