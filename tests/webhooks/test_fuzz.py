"""Ten thousand notices: no forged one is taken, no genuine one refused, nothing crashes."""

import json
import random
from collections.abc import Callable

import pytest

from transports.tiktok.webhooks import WebhookEvent, WebhookRefusedError, handle, sign
from transports.tiktok.webhooks.notices import MAX_BODY

ROUNDS = 10_000
SECRET = "client-secret-of-the-app"
NOW = 1_800_000_000
TEXTS = [
    "",
    "a",
    "v_pub_file~v2-1.7683616048247130126",
    "naïve 数",
    "\x00",
    '"',
    "x" * 300,
]
JUNK: list[Callable[[random.Random], bytes]] = [
    lambda chance: b"",
    lambda chance: chance.randbytes(chance.randrange(200)),
    lambda chance: b"[" * chance.randrange(1, 20_000),
    lambda chance: b'{"a":' * chance.randrange(1, 10_000),
    lambda chance: b'{"event":' + b"9" * 5_000 + b"}",
    lambda chance: json.dumps({"event": chance.choice([None, 1, [], {}])}).encode(),
    lambda chance: json.dumps({"event": "e", "content": chance.choice(["{", "[]", 3])}).encode(),
    lambda chance: b'{"event":"\xed\xa0\x80"}',
    lambda chance: b"x" * (MAX_BODY + 1),
]


def said(chance: random.Random) -> tuple[dict[str, object], bytes]:
    """Make a notice as TikTok may send it: its content, and its body."""
    content: dict[str, object] = {
        "publish_id": chance.choice(TEXTS),
        "post_id": chance.choice([*TEXTS, 7_683_616_048_247_130_126]),
        chance.choice(TEXTS): chance.choice([None, 1.5, [], {}, True]),
    }
    facts = {
        "client_key": chance.choice(TEXTS),
        "event": chance.choice(["post.publish.complete", "authorization.removed", *TEXTS]),
        "create_time": chance.choice([NOW, 0, -1, None, "now", 2**70]),
        "user_openid": chance.choice(TEXTS),
        "content": content if chance.random() < 0.1 else json.dumps(content),
    }
    return content, json.dumps(facts, ensure_ascii=chance.random() < 0.5).encode()


def forged(chance: random.Random, header: str, body: bytes) -> tuple[dict[str, str], bytes]:
    """Change a genuine notice, or its signature, in one way; never into itself."""
    moment, _, digest = header.partition(",s=")
    place = chance.randrange(len(digest))
    flipped = (
        digest[:place]
        + f"{int(digest[place], 16) ^ chance.randrange(1, 16):x}"
        + digest[place + 1 :]
    )
    at = chance.randrange(len(body))
    changed = body[:at] + bytes([body[at] ^ chance.randrange(1, 256)]) + body[at + 1 :]
    ways: list[tuple[dict[str, str], bytes]] = [
        ({"TikTok-Signature": f"{moment},s={flipped}"}, body),
        ({"TikTok-Signature": header}, changed),
        ({"TikTok-Signature": header}, body + b" "),
        ({"TikTok-Signature": header}, body[:-1]),
        ({"TikTok-Signature": f"t={NOW + chance.choice([-1, 1])},s={digest}"}, body),
        ({"TikTok-Signature": sign(body, secret="another", now=NOW)}, body),
        ({"TikTok-Signature": sign(body, secret="", now=NOW)}, body),
        ({"TikTok-Signature": sign(body, secret=SECRET, now=NOW - 301)}, body),
        ({"TikTok-Signature": sign(body, secret=SECRET, now=NOW + 301)}, body),
        ({"TikTok-Signature": digest}, body),
        ({"TikTok-Signature": f"{moment},s="}, body),
        ({"TikTok-Signature": f"{moment},s={digest[:-1]}"}, body),
        ({"TikTok-Signature": f"{header},s={digest}"}, body),
        ({"TikTok-Signature": f"t=,s={digest}"}, body),
        ({"TikTok-Signature": f"t=٣,s={digest}"}, body),
        ({"TikTok-Signature": chance.choice(TEXTS)}, body),
        ({"TikTok-Signature": header, "tiktok-signature": header}, body),
        ({"X-Signature": header}, body),
        ({}, body),
    ]
    return chance.choice(ways)


def taken(headers: dict[str, str], body: bytes) -> WebhookEvent:
    """Take a notice at the moment that all are made for."""
    return handle(headers, body, secret=SECRET, now=NOW)


@pytest.mark.parametrize("seed", range(4))
def test_only_the_genuine_are_taken(seed: int) -> None:
    """Genuine ones say what was put in; forged ones and genuine nonsense are refused, typed."""
    chance = random.Random(seed)
    for _ in range(ROUNDS // 4):
        content, body = said(chance)
        header = sign(body, secret=SECRET, now=NOW + chance.randrange(-300, 301))
        name = chance.choice(["TikTok-Signature", "tiktok-signature", "TIKTOK-SIGNATURE"])

        event = taken({name: header}, body)
        assert event.publish_id == (str(content["publish_id"]) or None)
        assert event.post_id == (str(content["post_id"]) or None)
        assert len(event.key) == 64

        genuine = sign(body, secret=SECRET, now=NOW)
        with pytest.raises(WebhookRefusedError) as refused:
            taken(*forged(chance, genuine, body))
        assert refused.value.status == 401

        if chance.random() < 0.8:
            continue
        junk = chance.choice(JUNK)(chance)
        with pytest.raises(WebhookRefusedError) as refused:
            taken({"TikTok-Signature": sign(junk, secret=SECRET, now=NOW)}, junk)
        assert refused.value.status in (400, 413)


def test_of_several_secrets_any_may_have_signed() -> None:
    """As long as the app's secret is being changed."""
    headers = {"TikTok-Signature": sign(b'{"event":"e"}', secret="old", now=NOW)}
    event = handle(headers, b'{"event":"e"}', secret=["new", "old"], now=NOW)
    assert event.event == "e"
    with pytest.raises(WebhookRefusedError):
        handle(headers, b'{"event":"e"}', secret=["new"], now=NOW)


def test_a_notice_for_another_app_is_refused() -> None:
    """One secret may serve several apps of an operator; their notices are not mixed."""
    body = b'{"event":"e","client_key":"theirs"}'
    headers = {"TikTok-Signature": sign(body, secret=SECRET, now=NOW)}
    assert taken(headers, body).client_key == "theirs"
    with pytest.raises(WebhookRefusedError, match="another app"):
        handle(headers, body, secret=SECRET, client_key="ours", now=NOW)


def test_a_refusal_tells_neither_secret_nor_body() -> None:
    """Whoever forges learns nothing from the answer or the log."""
    body = b'{"event":"e","client_key":"of-somebody"}'
    with pytest.raises(WebhookRefusedError) as refused:
        taken({"TikTok-Signature": sign(body, secret="another", now=NOW)}, body)
    told = f"{refused.value!r} {refused.value.to_dict()}"
    assert SECRET not in told
    assert "of-somebody" not in told
