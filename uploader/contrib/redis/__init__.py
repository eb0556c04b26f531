"""Limits of accounts that many processes and machines share, counted in Redis.

    Uploader(limiter=RedisLimiter("redis://limits.internal:6379/0", key=secret))

Rule: keys hold a keyed digest of the account, never its name nor a token. Needs the extra `redis`.
"""

from uploader.contrib.redis.limiter import RedisLimiter

__all__ = ["RedisLimiter"]
