"""The JSON side over HTTP: tokens, rates, envelope, creator_info, init, status, cancel."""

import re
from typing import Any

import pytest

from tests.sandbox.client import CANCEL, CREATOR_INFO, INIT, STATUS, Client, order
from transports.tiktok.sandbox import Fault, Sandbox, Switches

ALL = [
    (INIT, order()),
    (STATUS, {"publish_id": "x"}),
    (CANCEL, {"publish_id": "x"}),
    (CREATOR_INFO, None),
]


def test_an_init_is_answered_in_the_envelope(client: Client) -> None:
    """`data`, `error.code` ok, a log_id, ids and URLs of the real shape."""
    answer = client.call(INIT, order())

    assert answer.headers["Content-Type"].startswith("application/json")
    assert answer.json["error"].keys() == {"code", "message", "log_id"}
    assert answer.code == "ok"
    assert re.fullmatch(r"v_pub_file~v2-1\.\d{19}", answer.json["data"]["publish_id"])
    assert re.fullmatch(
        re.escape(client.sandbox.base_url) + r"/video/\?upload_id=\d+&upload_token=[0-9a-f]+",
        answer.json["data"]["upload_url"],
    )


def test_the_charset_of_the_json_is_optional(client: Client) -> None:
    """The reference shows both spellings."""
    answer = client.call(INIT, order(), content_type="application/json; charset=UTF-8")
    assert answer.code == "ok"


@pytest.mark.parametrize(("path", "body"), ALL)
def test_an_unknown_token_is_refused(lenient: Sandbox, path: str, body: Any) -> None:
    """None, another scheme, a wrong, a revoked and an expired one: 401."""
    revoked = lenient.issue_token()
    lenient.revoke_token(revoked)
    expired = lenient.issue_token(expires_in=7200)
    lenient.clock.advance(7200)
    with Client(lenient) as client:
        for value in (
            "",
            lenient.access_token,
            "Bearer x",
            f"Bearer {revoked}",
            f"Bearer {expired}",
        ):
            answer = client.call(path, body, authorization=value)
            assert (answer.status, answer.code) == (401, "access_token_invalid")
        assert client.call(path, body).code != "access_token_invalid"


def test_each_operation_asks_for_its_scope(sandbox: Sandbox) -> None:
    """Direct posting needs video.publish; status and cancel take either."""
    token = sandbox.issue_token(scopes=["video.upload"])
    with Client(sandbox, token=token) as client:
        for path, body in ((INIT, order()), (CREATOR_INFO, None)):
            answer = client.call(path, body)
            assert (answer.status, answer.code) == (401, "scope_not_authorized")
        assert client.call(STATUS, {"publish_id": "x"}).code == "invalid_publish_id"


@pytest.mark.parametrize(
    ("path", "body", "limit"),
    [(INIT, order(), 6), (CREATOR_INFO, None, 20), (STATUS, {"publish_id": "x"}, 30)],
)
def test_a_token_has_a_rate(client: Client, path: str, body: Any, limit: int) -> None:
    """The request over the limit gets 429, and passes when the first has left the window."""
    client.call(path, body)
    client.sandbox.clock.advance(30)
    for _ in range(limit - 1):
        assert client.call(path, body).status in (200, 400)
    refused = client.call(path, body)
    assert (refused.status, refused.code) == (429, "rate_limit_exceeded")
    assert "Retry-After" not in refused.headers
    client.sandbox.clock.advance(30)
    assert client.call(path, body).status in (200, 400)
    assert client.call(path, body).status == 429


def test_a_rate_is_per_token_and_can_be_switched_off() -> None:
    """Two tokens do not share a window; `rate_limits=False` has none."""
    with Sandbox(rate_limits=False) as free, Client(free) as client:
        assert {client.call(INIT, order()).status for _ in range(9)} == {200}
    with Sandbox() as sandbox, Client(sandbox) as first:
        assert {first.call(INIT, order()).status for _ in range(6)} == {200}
        with Client(sandbox, token=sandbox.issue_token()) as second:
            assert second.call(INIT, order()).status == 200


def test_retry_after_is_a_switch() -> None:
    """Whether a 429 says how long to wait is not documented."""
    with Sandbox(switches=Switches(retry_after=7)) as sandbox, Client(sandbox) as client:
        answers = [client.call(INIT, order()) for _ in range(7)]
        assert answers[-1].headers["Retry-After"] == "7"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"', b"[" * 100_000])
@pytest.mark.parametrize("path", [INIT, STATUS, CANCEL])
def test_a_body_that_is_no_json_object_is_refused(client: Client, path: str, body: bytes) -> None:
    """400 with the code for bad parameters, nothing started."""
    answer = client.call(path, body)
    assert (answer.status, answer.code) == (400, "invalid_params")
    assert client.sandbox.uploads == []


def test_another_content_type_is_refused(client: Client) -> None:
    """The body is announced as JSON."""
    answer = client.call(INIT, order(), content_type="text/plain")
    assert (answer.status, answer.code) == (400, "invalid_params")


def test_a_body_without_end_is_refused(client: Client) -> None:
    """Over a megabyte is no init."""
    assert client.call(INIT, b"x" * (2 << 20)).status == 413


def test_a_refused_init_says_why(client: Client) -> None:
    """The message is the one that was seen on the wire."""
    answer = client.call(INIT, order(50_000_123, 10_000_000, 6))
    assert (answer.status, answer.code) == (400, "invalid_params")
    assert answer.json["error"]["message"] == "The total chunk count is invalid"


def test_creator_info_follows_the_account(sandbox: Sandbox) -> None:
    """Options and toggles of a public and of a private account; the body is optional."""
    private = sandbox.issue_token(account="shy", private=True)
    with Client(sandbox) as client, Client(sandbox, token=private) as shy:
        public_data = client.call(CREATOR_INFO, {}).json["data"]
        private_data = shy.call(CREATOR_INFO).json["data"]
    assert public_data["privacy_level_options"] == [
        "PUBLIC_TO_EVERYONE",
        "MUTUAL_FOLLOW_FRIENDS",
        "SELF_ONLY",
    ]
    assert public_data["duet_disabled"] is False
    assert private_data["privacy_level_options"][0] == "FOLLOWER_OF_CREATOR"
    assert private_data["stitch_disabled"] is True
    assert private_data["creator_username"] == "shy"


def test_an_unaudited_client_sees_one_option() -> None:
    """What creator_info offers is what init accepts."""
    with Sandbox(switches=Switches(audited=False)) as sandbox, Client(sandbox) as client:
        assert client.call(CREATOR_INFO).json["data"]["privacy_level_options"] == ["SELF_ONLY"]


# -- status --------------------------------------------------------------------------------------


def test_a_status_is_for_the_accounts_own_posts(sandbox: Sandbox) -> None:
    """Unknown id, missing id, somebody else's id; a new token of the same account may ask."""
    stranger = sandbox.issue_token(account="stranger")
    renewed = sandbox.issue_token()
    with Client(sandbox) as client:
        publish_id = client.init().publish_id
        assert client.call(STATUS, {"publish_id": "no"}).code == "invalid_publish_id"
        assert client.call(STATUS, {}).code == "invalid_params"
    with Client(sandbox, token=stranger) as client:
        answer = client.call(STATUS, {"publish_id": publish_id})
        assert (answer.status, answer.code) == (
            400,
            "token_not_authorized_for_specified_publish_id",
        )
    with Client(sandbox, token=renewed) as client:
        assert client.status(publish_id)["status"] == "PROCESSING_UPLOAD"


def test_processing_takes_its_time_on_the_clock() -> None:
    """PROCESSING_UPLOAD until the seconds are over, then PUBLISH_COMPLETE."""
    with Sandbox(processing_seconds=60) as sandbox, Client(sandbox) as client:
        upload = client.init()
        assert client.status(upload.publish_id)["uploaded_bytes"] == 0
        client.put(upload, 0, 999)
        assert client.status(upload.publish_id) == {
            "status": "PROCESSING_UPLOAD",
            "publicaly_available_post_id": [],
            "uploaded_bytes": 1000,
        }
        assert sandbox.posts[0].status == "PROCESSING_UPLOAD"
        sandbox.clock.advance(60)
        assert client.status(upload.publish_id)["status"] == "PUBLISH_COMPLETE"
        assert sandbox.posts[0].status == "PUBLISH_COMPLETE"


def test_only_a_public_post_gets_an_id(client: Client) -> None:
    """A 19-digit integer for the public one, an empty list for the private one."""
    uploads = [
        client.init(privacy_level=level, title=level)
        for level in ("PUBLIC_TO_EVERYONE", "SELF_ONLY")
    ]
    for upload in uploads:
        client.put(upload, 0, 999)
    public, private = (client.status(upload.publish_id) for upload in uploads)
    (post_id,) = public["publicaly_available_post_id"]
    assert isinstance(post_id, int)
    assert len(str(post_id)) == 19
    assert client.sandbox.posts[0].post_ids == (post_id,)
    assert private["publicaly_available_post_id"] == []


def finished(switches: Switches, **kwargs: Any) -> tuple[Sandbox, Client, str]:
    """Publish one public clip on a started sandbox with these switches."""
    sandbox = Sandbox(switches=switches, **kwargs).start()
    client = Client(sandbox)
    upload = client.init(privacy_level="PUBLIC_TO_EVERYONE")
    assert client.put(upload, 0, 999).status == 201
    return sandbox, client, upload.publish_id


@pytest.mark.parametrize(
    ("switches", "expected"),
    [
        (Switches(post_id="never"), {"publicaly_available_post_id": []}),
        (Switches(stuck_processing=True), {"status": "PROCESSING_UPLOAD"}),
        (Switches(fail_reason="internal"), {"status": "FAILED", "fail_reason": "internal"}),
        (Switches(uploaded_bytes="shown"), {"uploaded_bytes": 1000}),
        (Switches(uploaded_bytes_lag=1e9), {"uploaded_bytes": 0, "status": "PUBLISH_COMPLETE"}),
        (Switches(status_lag=1e9), {"uploaded_bytes": 1000, "status": "PROCESSING_UPLOAD"}),
    ],
)
def test_the_end_of_a_post_is_a_switch(switches: Switches, expected: dict[str, Any]) -> None:
    """Each open question about the status has both answers."""
    sandbox, client, publish_id = finished(switches)
    with client:
        answer = client.call(STATUS, {"publish_id": publish_id})
        assert answer.code == "ok"  # FAILED too arrives inside HTTP 200
        assert answer.json["data"].items() >= expected.items()
    sandbox.stop()


def test_uploaded_bytes_may_be_absent() -> None:
    """A missing number is not zero."""
    sandbox, client, publish_id = finished(Switches(uploaded_bytes="absent"))
    with client:
        assert "uploaded_bytes" not in client.status(publish_id)
    sandbox.stop()


def test_a_lag_is_over_after_its_time() -> None:
    """The clock brings number and status up to date."""
    sandbox, client, publish_id = finished(Switches(uploaded_bytes_lag=30, status_lag=60))
    with client:
        sandbox.clock.advance(30)
        data = client.status(publish_id)
        assert (data["uploaded_bytes"], data["status"]) == (1000, "PROCESSING_UPLOAD")
        sandbox.clock.advance(30)
        assert client.status(publish_id)["status"] == "PUBLISH_COMPLETE"
    sandbox.stop()


def test_moderation_delays_the_post_id() -> None:
    """PUBLISH_COMPLETE comes first, the id later."""
    sandbox, client, publish_id = finished(Switches(post_id_delay=3600), processing_seconds=10)
    with client:
        sandbox.clock.advance(10)
        data = client.status(publish_id)
        assert (data["status"], data["publicaly_available_post_id"]) == ("PUBLISH_COMPLETE", [])
        sandbox.clock.advance(3600)
        assert client.status(publish_id)["publicaly_available_post_id"]
    sandbox.stop()


@pytest.mark.parametrize(("shape", "kind"), [("strings", list), ("string", str)])
def test_the_shape_of_the_post_id_is_a_switch(shape: Any, kind: type[list[str] | str]) -> None:
    """Strings have been seen instead of integers."""
    sandbox, client, publish_id = finished(Switches(post_id_shape=shape))
    with client:
        value = client.status(publish_id)["publicaly_available_post_id"]
        assert isinstance(value, kind)
        assert str(sandbox.posts[0].post_ids[0]) in value
    sandbox.stop()


@pytest.mark.parametrize(
    ("end", "status"), [("processing", "PROCESSING_UPLOAD"), ("failed", "FAILED")]
)
def test_the_fate_of_an_expired_task_is_a_switch(end: Any, status: str) -> None:
    """An upload that did not finish in its hour stays in progress, or fails."""
    with Sandbox(switches=Switches(expired_task=end)) as sandbox, Client(sandbox) as client:
        upload = client.init()
        sandbox.clock.advance(3600)
        assert client.status(upload.publish_id)["status"] == status
        assert sandbox.uploads[0].status == status


def test_the_name_of_the_log_id_is_a_switch() -> None:
    """The field table says logid, the examples log_id."""
    with Sandbox(switches=Switches(log_id_name="logid")) as sandbox, Client(sandbox) as client:
        assert "logid" in client.call(INIT, order()).json["error"]


# -- cancel --------------------------------------------------------------------------------------


def test_cancelling_a_file_upload_is_refused_by_default(client: Client) -> None:
    """Cancel is documented for pulled videos only."""
    upload = client.init()
    answer = client.call(CANCEL, {"publish_id": upload.publish_id})
    assert (answer.status, answer.code) == (400, "publish_not_cancellable")
    assert client.put(upload, 0, 999).status == 201


def test_cancelling_may_end_the_task() -> None:
    """With the switch: no data in the answer, FAILED publish_cancelled, and 404 for PUTs."""
    with Sandbox(switches=Switches(cancel="accepted")) as sandbox, Client(sandbox) as client:
        upload = client.init()
        answer = client.call(CANCEL, {"publish_id": upload.publish_id})
        assert answer.json.keys() == {"error"}
        assert client.status(upload.publish_id)["fail_reason"] == "publish_cancelled"
        assert client.put(upload, 0, 999).status == 404
        again = client.call(CANCEL, {"publish_id": upload.publish_id})
        assert again.code == "publish_not_cancellable"


def test_a_complete_upload_cannot_be_cancelled() -> None:
    """Near completion or in processing, cancel comes too late."""
    sandbox, client, publish_id = finished(Switches(cancel="accepted"), processing_seconds=60)
    with client:
        assert client.call(CANCEL, {"publish_id": publish_id}).code == "publish_not_cancellable"
    sandbox.stop()


# -- init, twice ---------------------------------------------------------------------------------


def test_a_repeated_init_makes_a_second_task_that_is_marked(client: Client) -> None:
    """Not a violation, but visible: the second points at the first."""
    first, second = client.init(), client.init()
    client.init(title="another")
    assert first.publish_id != second.publish_id
    assert [post.publish_id for post in client.sandbox.duplicates] == [second.publish_id]
    assert client.sandbox.uploads[1].duplicate_of == first.publish_id
    assert client.sandbox.violations == []


def test_a_repeated_init_after_a_failure_is_no_duplicate() -> None:
    """What failed may be tried again."""
    switches = Switches(fail_reason="internal")
    with Sandbox(switches=switches) as sandbox, Client(sandbox) as client:
        client.put(client.init(), 0, 999)
        client.init()
        assert sandbox.duplicates == []


def test_deduplicated_inits_are_a_switch() -> None:
    """The same body may get the same task."""
    switches = Switches(identical_init="same_task")
    with Sandbox(switches=switches) as sandbox, Client(sandbox) as client:
        assert client.init() == client.init()
        assert client.init(title="another") != client.init()
        assert len(sandbox.uploads) == 2


# -- the upload URL ------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/video/", "/upload/", "/upload"])
def test_the_path_of_the_upload_url_is_a_switch(path: Any) -> None:
    """With and without a slash at the end; the sandbox serves what it issued."""
    with Sandbox(switches=Switches(upload_path=path)) as sandbox, Client(sandbox) as client:
        upload = client.init()
        assert f"{path}?upload_id=" in upload.url
        assert client.put(upload, 0, 999).status == 201


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("open-upload-sg.tiktokapis.com", "https://open-upload-sg.tiktokapis.com"),
        ("open-upload.tiktokapis.us", "https://open-upload.tiktokapis.us"),
        ("http://upload.example.com:8080", "http://upload.example.com:8080"),
    ],
)
def test_the_upload_host_is_a_switch(host: str, origin: str) -> None:
    """Uploads go to other hosts than the API, under another top-level domain even."""
    with Sandbox(switches=Switches(upload_host=host)) as sandbox, Client(sandbox) as client:
        upload = client.init()
        assert upload.url.startswith(f"{origin}/video/?")
        assert client.put(upload, 0, 999, host=origin.partition("://")[2]).status == 201


def test_an_upload_url_may_be_long() -> None:
    """Longer than the documented 256 characters, and still used whole."""
    with Sandbox(switches=Switches(upload_url_length=8000)) as sandbox, Client(sandbox) as client:
        upload = client.init()
        assert len(upload.url) == 8000
        assert client.put(upload, 0, 999).status == 201


def test_a_public_base_url_is_what_upload_urls_begin_with() -> None:
    """Behind another name, clients are sent back to that name."""
    with (
        Sandbox(public_base_url="https://sandbox.example.com/") as sandbox,
        Client(sandbox) as client,
    ):
        upload = client.init()
        assert upload.url.startswith("https://sandbox.example.com/video/?")
        assert client.put(upload, 0, 999).status == 201


def test_records_say_what_was_asked_and_answered(client: Client) -> None:
    """Operation, status, publish_id, range, in order."""
    client.sandbox.script(Fault("status", status=500))
    upload = client.init()
    client.put(upload, 0, 999)
    client.call(STATUS, {"publish_id": upload.publish_id})
    seen = [
        (r.operation, r.status, r.publish_id, r.range, r.fault) for r in client.sandbox.requests
    ]
    assert seen == [
        ("init", 200, upload.publish_id, None, False),
        ("put", 201, upload.publish_id, "bytes 0-999/1000", False),
        ("status", 500, None, None, True),
    ]
