"""The sandbox's page in a real browser: it follows uploads, says what went wrong, and is inert."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser import browser as windows
from tests.browser import needs_browser
from tests.sandbox.client import CHUNK, Client, pattern, put_head
from tests.sandbox.onlooker import Onlooker
from transports.tiktok.sandbox import Fault, Sandbox
from uploader.cli.clip import CLIP

pytestmark = needs_browser
HOSTILE = (
    "<img src=x onerror='window.hacked=1'><script>window.hacked=1</script>"
    "\"'&amp;{{7*7}}</title></textarea>\u202egnp.exe <svg/onload=window.hacked=1>"
)


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Onlooker]:
    """Start one browser for the module."""
    with windows(tmp_path_factory.mktemp("chromium"), width=1400, height=1500) as window:
        yield Onlooker(window)


@pytest.fixture
def browser(tab: Onlooker) -> Iterator[Onlooker]:
    """Lend the browser; whatever a test does, its console stays empty."""
    yield tab
    assert tab.complaints == []


def test_a_running_upload_is_seen_to_advance(
    sandbox: Sandbox, client: Client, browser: Onlooker
) -> None:
    """Nothing, then a chunk, half of the next, and the whole with its digest; nobody reloads."""
    browser.open(sandbox.page_url)
    browser.wait(lambda: browser.text("#live") == "live")
    assert "Nothing has arrived yet." in browser.text("main")

    size = 2 * CHUNK
    upload = client.init(size, CHUNK, title="Autumn menu")
    browser.wait(lambda: browser.text("#posts button") == "Autumn menu")
    assert browser.text("#posts .state") == "uploading"
    client.put(upload, 0, CHUNK - 1)
    browser.wait(lambda: browser.texts("#chunks tr td:nth-child(6)") == ["206"])
    assert browser.text("#posts td:nth-child(3)") == "5.2 MB of 10.5 MB"

    head = put_head(upload, CHUNK, size - 1)
    with client.raw(head, pattern(CHUNK, CHUNK + CHUNK // 2)) as connection:
        browser.wait(lambda: browser.texts("#chunks .state")[0].endswith("so far"))
        value = "return document.querySelector('#posts progress').value"
        browser.wait(lambda: 0.6 < browser.run(value) < 0.9)
        kinds = "return [...document.querySelectorAll('#timeline g')].map(g => g.dataset.kind)"
        assert browser.run(kinds) == ["stored", "under-way"]
        connection.sendall(pattern(CHUNK + CHUNK // 2 + 1, size - 1))
        assert b" 201 " in connection.recv(65536)

    browser.wait(lambda: browser.text("#posts .state") == "posted")
    digest = hashlib.sha256(pattern(0, CHUNK - 1) + pattern(CHUNK, size - 1)).hexdigest()
    browser.wait(lambda: digest in browser.text("#facts"))
    assert browser.run(kinds) == ["stored", "stored"]
    assert browser.texts("#chunks td:nth-child(6)") == ["201", "206"]


def test_wrong_chunks_are_told_in_plain_words(lenient: Sandbox, browser: Onlooker) -> None:
    """A refused range says what was expected; a broken rule stands on top; faults are marked."""
    lenient.script(Fault("put", nth=2, reset_after=100))
    with Client(lenient) as client:
        upload = client.init(2 * CHUNK, CHUNK, title="Wrong")
        browser.open(lenient.page_url)
        assert client.put(upload, CHUNK, 2 * CHUNK - 1).status == 416
        expected = f"range {CHUNK}-{2 * CHUNK - 1}, expected 0-{CHUNK - 1}"
        browser.wait(lambda: browser.texts("#chunks .state") == [expected])
        assert browser.texts("#posts .marks")[1] == "1 refused"
        assert not browser.texts("#broken:not([hidden])")

        with client.raw(put_head(upload, 0, CHUNK - 1), pattern(0, 999)):
            browser.wait(lambda: "connection reset in mid-body" in browser.text("#chunks"))
        assert browser.text("#timeline .mark") == "⚡"
        kinds = "return [...document.querySelectorAll('#timeline g')].map(g => g.dataset.kind)"
        assert browser.run(kinds) == ["refused", "lost"]

        client.put(upload, 0, CHUNK - 1, authorization="Bearer mine")
        browser.wait(lambda: "Authorization header" in browser.text("#violations"))
        assert "Broken rules" in browser.text("#broken")
        assert browser.driver.title == "(1 broken) TikTok sandbox"
        assert browser.text('#totals [data-alarm="true"]').split() == ["1", "broken", "rules"]
        # Sent a second time, and taken.
        assert browser.texts("#chunks tr:first-child td")[2:6:3] == ["2", "206"]


def test_a_hostile_title_is_only_text(lenient: Sandbox, browser: Onlooker) -> None:
    """Title, account, address and path are shown as they are, and nothing of them runs."""
    lenient.verify_url("media.example.com")
    token = lenient.issue_token(account=HOSTILE)
    with Client(lenient, token=token) as client:
        client.put(client.init(title=HOSTILE), 0, 999)
        client.request("GET", "/<script>window.hacked=1</script>")
        browser.open(lenient.page_url)
        browser.wait(lambda: browser.texts("#chunks td:nth-child(6)") == ["201"])
    same = "return [...document.querySelectorAll(arguments[0])].map(e => e.textContent)"
    assert browser.run(same, "#detail-title") == [HOSTILE]
    assert browser.run(same, "#posts button") == [HOSTILE]
    assert HOSTILE in browser.run(same, "#facts dd")
    assert "<script>window.hacked=1</script>" in browser.text("#violations")
    assert browser.run("return window.hacked") is None
    assert browser.run("return document.querySelectorAll('img, body script').length") == 0
    found = "return document.querySelectorAll('svg').length"
    assert browser.run(found) == 1


def test_the_policy_would_stop_what_slipped_through(sandbox: Sandbox, tab: Onlooker) -> None:
    """If markup got in all the same, neither its script nor its address would be followed."""
    tab.open(sandbox.page_url)
    tab.wait(lambda: tab.text("#live") == "live")
    tab.run("document.body.innerHTML += arguments[0]", HOSTILE)
    tab.wait(lambda: any("Content Security Policy" in each for each in tab.complaints))
    assert tab.run("return window.hacked") is None
    assert sandbox.requests == []


def test_hundreds_of_posts_stay_usable(browser: Onlooker) -> None:
    """All are listed, found by what one types, and opened by what one presses."""
    with Sandbox(rate_limits=False) as sandbox, Client(sandbox) as client:
        for number in range(400):
            client.put(client.init(title=f"clip {number}"), 0, 999)
        browser.open(sandbox.page_url)
        browser.wait(lambda: len(browser.texts("#posts tr")) == 400)
        assert browser.text("#totals li:first-child").split() == ["400", "uploads"]
        assert browser.texts("#posts button")[0] == "clip 399"  # the newest first

        field = browser.driver.find_element("id", "find")
        field.send_keys("clip 123")
        browser.wait(lambda: browser.texts("#posts tr:not([hidden]) button") == ["clip 123"])
        browser.run("document.querySelector('#posts tr:not([hidden]) button').click()")
        browser.wait(lambda: browser.text("#detail-title") == "clip 123")
        wanted = next(post for post in sandbox.uploads if post.title == "clip 123")
        browser.wait(lambda: wanted.sha256 in browser.text("#facts"))

        # Who has chosen a post is not taken away from it by the next one; the address names it.
        client.put(client.init(title="one more"), 0, 999)
        browser.wait(lambda: len(browser.texts("#posts tr")) == 401)
        assert browser.text("#detail-title") == "clip 123"
        browser.open(f"{sandbox.page_url}#{wanted.publish_id}")
        browser.wait(lambda: browser.text("#detail-title") == "clip 123")


def test_everything_has_a_name_and_both_schemes(
    sandbox: Sandbox, client: Client, browser: Onlooker
) -> None:
    """Who hears the page is told of each control and picture; dark is dark, and readable."""
    client.put(client.init(2 * CHUNK, CHUNK, title="named"), 0, CHUNK - 1)
    browser.open(sandbox.page_url)
    browser.wait(lambda: browser.texts("#chunks td:nth-child(6)") == ["206"])
    tree: Any = browser.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})
    controls = {"button", "link", "searchbox", "meter", "progressbar", "image", "img", "region"}
    named: dict[str, list[str]] = {}
    for node in tree["nodes"]:
        role = node.get("role", {}).get("value", "")
        if role in controls and not node.get("ignored"):
            named.setdefault(role, []).append(node.get("name", {}).get("value", ""))
    assert {"button", "link", "searchbox", "meter", "progressbar"} <= named.keys()
    assert named.keys() & {"image", "img"}
    assert all(all(names) for names in named.values()), json.dumps(named)

    for scheme, dark in (("light", False), ("dark", True)):
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        assert (luminance(browser, "body", "backgroundColor") < 0.2) is dark
        for css in ("#detail-title", "#facts dt", "#posts .state", ".marks", "#live", "th"):
            ground = luminance(browser, "section", "backgroundColor")
            low, high = sorted((luminance(browser, css, "color"), ground))
            assert (high + 0.05) / (low + 0.05) >= 4.5, (scheme, css)  # WCAG 2.2, 1.4.3


def luminance(browser: Onlooker, css: str, name: str) -> float:
    """Return the relative luminance of a colour of an element, as WCAG defines it."""
    script = "return getComputedStyle(document.querySelector(arguments[0]))[arguments[1]]"
    parts = browser.run(script, css, name).partition("(")[2].rstrip(")").split(",")[:3]
    shares = [int(part) / 255 for part in parts]
    linear = [s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares]
    return sum(weight * each for weight, each in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_what_was_kept_is_played(tmp_path: Path, browser: Onlooker) -> None:
    """The film that arrived, in the browser's own player; a post without bytes has none."""
    film = CLIP.read_bytes()
    with Sandbox(keep=tmp_path) as sandbox, Client(sandbox) as client:
        browser.open(sandbox.page_url)
        browser.wait(lambda: browser.text("#live") == "live")
        upload = client.init(len(film), title="A film")
        browser.wait(lambda: browser.text("#detail-title") == "A film")
        assert browser.run("return document.querySelector('#film').hidden")
        client.put(upload, 0, len(film) - 1, body=film)
        player = "const film = document.querySelector('#film'); return film.hidden || film.duration"
        browser.wait(lambda: browser.run(player) not in (True, None))
        assert browser.run(player) > 0.5


def test_the_end_of_the_sandbox_is_said(tab: Onlooker) -> None:
    """What was seen stays on the page."""
    sandbox = Sandbox().start()
    with Client(sandbox) as client:
        client.put(client.init(title="stays"), 0, 999)
    tab.open(sandbox.page_url)
    tab.wait(lambda: tab.text("#posts button") == "stays")
    sandbox.stop()
    tab.wait(lambda: tab.text("#live") == "the sandbox has ended")
    assert tab.text("#detail-title") == "stays"
