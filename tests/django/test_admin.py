"""The admin in a real browser: what people see there, what they may order, and what comes of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest

from tests.browser import needs_browser
from tests.django.admin_scene import PAUSED, SCENE, SECRETS
from tests.django.office import UPLOADS, Office, office

pytestmark = [needs_browser, pytest.mark.slow]
FILMS = ("goes-on.mp4", "goes-out-twice.mp4", "stays.mp4", "is-withdrawn.mp4")


@pytest.fixture(scope="module")
def rooms(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """Open one office for the module; each test has uploads of its own there."""
    with office(tmp_path_factory.mktemp("office"), *FILMS) as opened:
        yield opened


@pytest.fixture
def admin(rooms: Office) -> Office:
    """Come in as somebody who may do everything."""
    rooms.log_in("admin")
    return rooms


def test_the_list_says_how_everything_stands(admin: Office) -> None:
    """State, account, progress, age, who drives it, and what is wrong in plain words."""
    admin.open(f"{UPLOADS}?o=1")
    _fold_the_sidebar(admin)
    admin.page.picture("django-uploads", height=960)
    text = admin.page.text

    assert set(admin.rows) == {*FILMS, *(made.name for made in SCENE)}
    assert "driven by process 4211 on worker-2" in text
    assert "The creator's daily limit of posts through apps is reached." in text
    assert "Try again tomorrow, or post from the TikTok app." in text
    assert "262 MB of 412 MB" in text
    assert "due in" in text
    assert "paused" in text
    bars = admin.page.all("#result_list progress")
    assert {bar.get_attribute("value") for bar in bars} > {"0"}
    assert "{" not in text, "somebody is shown JSON"


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("state=unknown", ["founders-story.mp4"]),
        ("account=initech", ["interview-cut-3.mp4", "recipe-041.mp4"]),
        ("code=frame_rate_check_failed", ["unboxing.mov"]),
        ("code=network", ["studio-day.mp4"]),
        ("changed=stuck", ["founders-story.mp4"]),
        ("q=LOOKBOOK", ["spring-lookbook.mp4"]),
        ("q=4a00", ["founders-story.mp4"]),
        ("q=v_pub_file~v2-1.7a", ["interview-cut-3.mp4"]),
        ("q=%25", []),
    ],
)
def test_the_list_is_filtered_and_searched(admin: Office, query: str, found: list[str]) -> None:
    """By state, account, error, time, and by name, id and reference."""
    admin.open(f"{UPLOADS}?{query}")
    assert admin.rows == found


def test_the_filters_can_be_clicked(admin: Office) -> None:
    """The account is written, the others are links; each keeps the others."""
    admin.open()
    admin.page.go(admin.page.link("not ended"))
    admin.page.write("input[name=account]", PAUSED)
    admin.page.go(admin.page.find(".up-filter [type=submit]"))
    assert admin.rows == ["behind-the-scenes.mp4", "founders-story.mp4"]
    admin.page.go(admin.page.link("All accounts"))
    assert len(admin.rows) > 2
    assert "recipe-041.mp4" not in admin.rows


def test_a_page_tells_all_of_an_upload(admin: Office) -> None:
    """What it means, what went wrong, what to do, what happened when, and each part's proof."""
    admin.look_up("studio-day.mp4")
    _fold_the_sidebar(admin)
    admin.page.picture("django-upload", height=1000)
    text = admin.page.text

    assert "4 of 12 parts are confirmed, nothing is posted" in text
    assert "The connection broke or was never made." in text
    assert "What to do: Check the network" in text
    assert "opened at the destination" in text
    assert "last change: sending" in text
    assert "bytes 0-41943039/118838613" in text
    assert admin.buttons == ["Let it go on now", "Ask the destination", "Cancel…"]
    admin.look_up("autumn-campaign.mp4")
    assert admin.buttons == [], "a run drives it"


def test_an_upload_goes_on(admin: Office) -> None:
    """From the list, and at once; who ordered it is remembered."""
    admin.open()
    admin.choose("Let them go on now", "goes-on.mp4")
    assert "goes on" in admin.said[0]
    admin.look_up("goes-on.mp4")
    admin.wait_for_state("done")
    assert "goes on by admin" in admin.page.text
    assert [post.title for post in admin.sandbox.posts].count("goes-on") == 1


def test_nothing_is_posted_again_by_one_click(admin: Office) -> None:
    """The page that asks wants a tick; sent twice it posts once."""
    admin.look_up("goes-out-twice.mp4")
    admin.press("let_go_on")
    admin.wait_for_state("done")
    admin.press("post_again")
    _fold_the_sidebar(admin)
    admin.page.picture("django-post-again", height=560)
    assert "followers may see the same video twice" in admin.page.text
    admin.page.find(".up-go").click()  # the browser refuses: there is no tick
    assert admin.page.all(".up-confirm")
    admin.page.driver.execute_script("document.querySelector('[name=sure]').required = false")
    admin.page.go(admin.page.find(".up-go"))  # and so does the site
    assert admin.page.all(".up-confirm")
    assert _posts(admin, "goes-out-twice") == 1

    admin.page.find("[name=sure]").click()
    again = _form(admin)
    admin.page.go(admin.page.find(".up-go"))
    (said,) = admin.said
    found = re.search(r"is posted again as ([0-9a-f]{16})", said)
    assert found is not None
    assert f"={found[1]}&" in again
    assert _send(admin, again) == 200

    admin.look_up("goes-out-twice.mp4", query=found[1])
    admin.wait_for_state("done")
    assert _posts(admin, "goes-out-twice") == 2
    admin.open(f"{UPLOADS}?q=goes-out-twice")
    assert len(admin.page.all("#result_list tbody tr")) == 2


def test_what_cannot_be_posted_again_says_why(admin: Office) -> None:
    """An upload that is on its way goes on instead."""
    admin.open()
    admin.choose("Post again…", "studio-day.mp4")
    assert "Not possible: it is sending: let it go on instead." in admin.page.text
    assert not admin.page.all(".up-go")


def test_who_has_looked_is_believed(admin: Office) -> None:
    """An unknown upload is called failed, and says by whom."""
    admin.look_up("founders-story.mp4")
    _fold_the_sidebar(admin)
    admin.page.picture("django-unknown", height=760)
    assert "Look at the account before sending it again." in admin.page.text
    admin.press("call_failed")
    admin.page.go(admin.page.find(".up-go"))
    assert admin.state == "failed"
    assert "admin has looked, and it is not there" in admin.page.text
    assert "is called failed by admin" in admin.page.text


def test_an_upload_is_withdrawn(admin: Office) -> None:
    """Asked first, then for good; a run of somebody else's is not touched."""
    admin.look_up("is-withdrawn.mp4")
    admin.press("cancel")
    admin.page.go(admin.page.find(".up-go"))
    assert admin.state == "cancelled"
    assert "cancelled by admin; nothing was sent" in admin.page.text
    admin.open()
    admin.choose("Cancel…", "autumn-campaign.mp4")
    admin.page.go(admin.page.find(".up-go"))
    assert "driven by process 4211 on worker-2" in admin.said[0]
    assert _posts(admin, "is-withdrawn") == 0


def test_an_account_is_paused_and_goes_on(admin: Office) -> None:
    """With a reason, from the list of uploads; lifted where the pauses are."""
    admin.open()
    admin.choose("Pause their accounts…", "interview-cut-3.mp4")
    admin.page.write("[name=reason]", "a new owner")
    admin.page.go(admin.page.find(".up-go"))
    assert admin.said == ["Initech is paused"]
    admin.open("mmap_uploader/pause/")
    assert "a new owner" in admin.page.text
    _fold_the_sidebar(admin)
    admin.page.picture("django-pauses", height=420)
    admin.open("mmap_uploader/account/")
    _fold_the_sidebar(admin)
    admin.page.picture("django-accounts", height=420)
    assert admin.page.text.count("paused") == 2
    admin.open()
    admin.choose("Lift the pauses of their accounts", "interview-cut-3.mp4")
    assert admin.said == ["Initech goes on"]


def test_a_pause_is_added_by_its_form(admin: Office) -> None:
    """Of everything of an account, until somebody lifts it; nobody edits one."""
    admin.open("mmap_uploader/pause/add/")
    admin.page.write("#id_account", "umbrella")
    admin.page.write("#id_reason", "under audit")
    admin.page.go(admin.page.find("[name=_save]"))
    admin.page.go(admin.page.link("every destination"))
    assert "under audit" in admin.page.text
    assert not admin.page.all("[name=_save]")
    admin.page.go(admin.page.find(".deletelink"))
    admin.page.go(admin.page.find("form [type=submit]"))
    assert "umbrella" not in admin.page.find("#content").text.replace(" ".join(admin.said), "")


def test_who_may_only_look_sees_no_orders(rooms: Office) -> None:
    """No action, no button, and none by a request of one's own making."""
    rooms.log_in("viewer")
    rooms.open()
    assert "stays.mp4" in rooms.rows
    assert not rooms.page.all("select[name=action]")
    rooms.look_up("stays.mp4")
    assert rooms.buttons == []
    assert not rooms.page.all("#content form")
    for action in ("let_go_on", "post_again", "cancel", "call_done", "pause_accounts"):
        _forge(rooms, action, "stays.mp4")
    rooms.look_up("stays.mp4")
    assert rooms.state == "queued"
    rooms.open("mmap_uploader/pause/add/")
    assert "403" in rooms.page.text
    assert _posts(rooms, "stays") == 0


@pytest.mark.parametrize(
    ("name", "buttons"),
    [("helper", ["Let it go on now"]), ("closer", ["Ask the destination"])],
)
def test_each_order_has_a_permission_of_its_own(
    rooms: Office, name: str, buttons: list[str]
) -> None:
    """One may let uploads go on, another ask about them; neither more."""
    rooms.log_in(name)
    rooms.look_up("studio-day.mp4")
    assert rooms.buttons == buttons
    _forge(rooms, "cancel", "studio-day.mp4")
    rooms.look_up("studio-day.mp4")
    assert rooms.state == "sending"


def test_no_page_shows_a_secret(admin: Office) -> None:
    """Neither the table's columns nor what is sealed in them, on no page of the app."""
    pages = [UPLOADS, "mmap_uploader/account/", "mmap_uploader/pause/"]
    for path in list(pages):
        admin.open(path)
        pages += [
            each.get_attribute("href").removeprefix(admin.site)  # type: ignore[union-attr]
            for each in admin.page.all("#result_list tbody th a")
        ]
    assert len(pages) > len(SCENE) + 3
    for path in pages:
        admin.open(path)
        source = admin.page.source
        assert "Server Error" not in source, path
        for name, secret in SECRETS.items():
            assert secret not in source, (path, name)
        assert "sealed" not in source, path
        if "/change/" in path:
            assert not admin.page.all("#content input:not([type=hidden])"), path


def _posts(rooms: Office, title: str) -> int:
    return [post.title for post in rooms.sandbox.posts].count(title)


def _fold_the_sidebar(rooms: Office) -> None:
    """Have the page to itself, in pictures."""
    if "shifted" in (rooms.page.find("#main").get_attribute("class") or ""):
        rooms.page.find("#toggle-nav-sidebar").click()


def _forge(rooms: Office, action: str, name: str) -> None:
    """Send an order as no page offers it."""
    rooms.look_up(name)
    found = re.search(r"/upload/(\d+)/change/", rooms.page.driver.current_url)
    assert found is not None
    token = rooms.page.driver.get_cookie("csrftoken")
    assert token is not None
    fields = {
        "action": action,
        "_selected_action": found[1],
        "index": "0",
        "yes": "yes",
        "sure": "yes",
        "csrfmiddlewaretoken": token["value"],
    }
    assert _send(rooms, urlencode(fields)) == 200


def _form(rooms: Office) -> str:
    """Return what the form on the page would send."""
    script = """return new URLSearchParams(new FormData(document.querySelector("form.up-confirm")))
        .toString()"""
    return str(rooms.page.driver.execute_script(script))


def _send(rooms: Office, body: str) -> int:
    """Post to the list of uploads; return the status at the end of all redirections."""
    script = """
        const [url, body, done] = arguments;
        const headers = {"Content-Type": "application/x-www-form-urlencoded"};
        fetch(url, {method: "POST", body, headers}).then((answer) => done(answer.status));
    """
    return int(rooms.page.driver.execute_async_script(script, rooms.site + UPLOADS, body))
