"""What `uploader doctor` asks of a TikTok account: its token, its scopes, and what it may post.

Rule: pure; asks creator info and nothing that opens a post. A figure that TikTok does not tell is
said to be unknown, never guessed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from transports.tiktok import operations
from transports.tiktok.catalogue import meaning
from transports.tiktok.destination import DirectPost, PrivacyLevel, TikTokAccount
from transports.tiktok.hosts import API_URL
from transports.tiktok.operations import CreatorInfo
from uploader.errors import AccountError, TransportError, UploaderError
from uploader.tokens import AccountState, AccountTokens
from uploader.transport import Examination, Finding, Level

NEEDED: Final[Mapping[str, str]] = {
    "video.publish": "direct posts",
    "video.upload": "drafts for the inbox",
}
"""Scopes, and what each is for: https://developers.tiktok.com/doc/tiktok-api-scopes"""
UPLOAD_HOSTS: Final = ("open-upload.tiktokapis.com", "upload.us.tiktokapis.com")
"""Hosts of upload URLs that the media transfer guide shows; which one is issued, TikTok decides."""
DAY: Final = 86_400.0
SOON: Final = 14 * DAY
"""Seconds before the end of a consent in which somebody should know."""
LOGIN: Final = "log in again: uploader account login"


def hosts(fields: Mapping[str, Any]) -> tuple[tuple[str, bool], ...]:
    """Return the origins that uploads go to, and whether each of them is needed."""
    base_url = str(fields.get("base_url") or API_URL).rstrip("/")
    if base_url != API_URL:
        return ((base_url, True),)
    return ((API_URL, True), *((f"https://{host}", False) for host in UPLOAD_HOSTS))


def checks(examination: Examination, account: TikTokAccount) -> Iterator[Finding]:
    """Yield what is found of an account, each finding as soon as it is had."""
    tokens = examination.tokens
    if tokens is None:
        yield Finding(
            check="token",
            level=Level.OK,
            says="it is given as it is: its age, its end and its scopes are not known here",
            advice="an account that logs in is refreshed by itself: uploader account login",
        )
    else:
        yield of_token(tokens, examination.now())
        yield of_scopes(tokens)
    yield from _of_creator(examination, account)
    yield _of_limits(account)


def of_token(tokens: AccountTokens, now: float) -> Finding:
    """Return how old the token is, how long it lives, and whether it can be refreshed."""
    age = now - tokens.updated
    left = None if tokens.expires is None else tokens.expires - now
    ends = None if tokens.refresh_expires is None else tokens.refresh_expires - now
    renews = tokens.refresh_token is not None and (ends is None or ends > 0)
    facts = {
        "age": round(age),
        "left": None if left is None else round(left),
        "refreshable": renews,
        "consent_left": None if ends is None else round(ends),
    }
    login = f"{LOGIN} {tokens.account}"
    if tokens.state is AccountState.REVOKED:
        says = f"the consent has ended ({tokens.reason or 'no reason is known'})"
        return Finding(check="token", level=Level.FAIL, says=says, advice=login, facts=facts)
    life = "its end is not known" if left is None else _life(left)
    consent = "" if ends is None or not renews else f" for another {ends / DAY:,.0f} days"
    says = f"{_span(age)} old, {life}, {'refreshable' if renews else 'not refreshable'}{consent}"
    level, advice = Level.OK, ""
    if not renews and left is not None:
        level = Level.FAIL if left <= 0 else Level.WARN
        advice = login
    elif renews and ends is not None and ends < SOON:
        level, advice = Level.WARN, login
    return Finding(check="token", level=level, says=says, advice=advice, facts=facts)


def of_scopes(tokens: AccountTokens) -> Finding:
    """Compare the scopes that the user granted with those that posts need."""
    granted = set(tokens.scopes)
    facts = {"granted": sorted(granted), "needed": sorted(NEEDED)}
    if not granted:
        says = "what was granted is not known"
        return Finding(check="scopes", level=Level.WARN, says=says, facts=facts)
    lacking = [scope for scope in NEEDED if scope not in granted]
    says = f"granted are {', '.join(sorted(granted))}"
    if not lacking:
        return Finding(check="scopes", level=Level.OK, says=says, facts=facts)
    lost = " and ".join(f"{scope} ({NEEDED[scope]})" for scope in lacking)
    return Finding(
        check="scopes",
        level=Level.FAIL if len(lacking) == len(NEEDED) else Level.WARN,
        says=f"{says}; {lost} is not",
        advice=f"{LOGIN} {tokens.account}, and agree to it on TikTok's page",
        facts=facts,
    )


def _of_creator(examination: Examination, account: TikTokAccount) -> Iterator[Finding]:
    try:
        info: CreatorInfo = examination.call(
            account, "creator_info", lambda: operations.creator_info(account.base_url)
        )
    except UploaderError as error:
        yield _refused(error)
        return
    options = info.privacy_level_options
    longest = info.max_video_post_duration_sec
    off = [
        name
        for name, is_off in (
            ("comments", info.comment_disabled),
            ("duets", info.duet_disabled),
            ("stitches", info.stitch_disabled),
        )
        if is_off
    ]
    says = f"{info.creator_nickname or info.creator_username} may post as {', '.join(options)}"
    if longest is not None:
        says += f", up to {longest:,} s"
    if off:
        says += f", without {', '.join(off)}"
    level, advice = Level.OK, ""
    if not options:
        level, says = Level.FAIL, "the account offers no privacy level: it cannot post now"
        advice = "look at the account in the TikTok app"
    elif set(options) == {PrivacyLevel.SELF_ONLY}:
        level = Level.WARN
        advice = "nobody else will see the posts: the app is unaudited, or the account restricted"
    yield Finding(
        check="creator",
        level=level,
        says=says,
        advice=advice,
        facts={"privacy_levels": list(options), "max_seconds": longest, "off": off},
    )


def _refused(error: UploaderError) -> Finding:
    code = (error.vendor_code if isinstance(error, TransportError) else None) or error.code
    known = meaning(code)
    advice = known.advice if known is not None else " ".join(error.hints)
    if isinstance(error, AccountError):
        advice = " ".join(error.hints)
    return Finding(
        check="creator",
        level=Level.FAIL,
        says=error.message,
        advice=advice,
        facts={"code": code},
    )


def _of_limits(account: TikTokAccount) -> Finding:
    """Say what may be asked how often; TikTok itself never tells what is left of it."""
    rates = (
        DirectPost(
            privacy_level=PrivacyLevel.SELF_ONLY, base_url=account.base_url, limits=account.limits
        )
        .transport()
        .capabilities.rates
    )
    return Finding(
        check="limits",
        level=Level.OK,
        says=f"{', '.join(rate.words for rate in rates)}; TikTok does not tell what is left",
        facts={rate.name: [rate.amount, rate.window] for rate in rates},
    )


def _life(left: float) -> str:
    return f"good for {_span(left)}" if left > 0 else f"ended {_span(-left)} ago"


def _span(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:,.0f} s"
    if seconds < 2 * 3600:
        return f"{seconds / 60:,.0f} min"
    return f"{seconds / 3600:,.1f} h" if seconds < 2 * DAY else f"{seconds / DAY:,.0f} days"
