"""Logs: silent until asked, one event a line, and no host loses what it configured."""

import io
import json
import logging
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from tests.instruments.hosts import run
from transports.tiktok.sandbox import Sandbox
from uploader import ConfigurationError, events
from uploader.instruments.catalogue import kinds
from uploader.instruments.logs import LogSubscriber, event_name
from uploader.logging import configure
from uploader.model import Outcome

WHO = {"upload_id": "u-1", "transport": "tiktok"}
LINE = re.compile(r"^\S+Z \[(debug|info|warning|error)\s*\] (\w+)\s+(\w+=.*)$")


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Serve a strict TikTok that does not count requests per minute."""
    with Sandbox(rate_limits=False) as sandbox:
        yield sandbox


@pytest.fixture
def ours() -> Iterator[logging.Logger]:
    """Give the logger back as it was."""
    logger = logging.getLogger("uploader")
    before = (list(logger.handlers), logger.level, logger.propagate)
    yield logger
    logger.handlers[:], level, logger.propagate = before[0], before[1], before[2]
    logger.setLevel(level)


# -- hosts ---------------------------------------------------------------------------------------

SILENT = """
import structlog
upload()
assert not logging.getLogger().handlers
assert logging.getLogger("uploader").level == logging.NOTSET
assert {type(h) for h in logging.getLogger("uploader").handlers} == {logging.NullHandler}
assert not structlog.is_configured()
"""


def test_a_library_is_silent_and_configures_nothing(sandbox: Sandbox, tmp_path: Path) -> None:
    """Warnings, a retry and a failure print nothing in a process that configured nothing."""
    done = run(SILENT, sandbox, tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


PLAIN = """
logging.basicConfig(level="INFO", format="%(levelname)s|%(name)s|%(message)s|%(upload_id)s|host",
                    stream=sys.stdout)
root, handlers = logging.getLogger(), list(logging.getLogger().handlers)
class Everybody(logging.Filter):
    def filter(self, record):
        record.__dict__.setdefault("upload_id", None)
        return True
handlers[0].addFilter(Everybody())
logging.getLogger("app").info("before")
upload()
logging.getLogger("app").info("after")
assert (root.level, root.handlers) == (logging.INFO, handlers)
"""


def test_a_host_with_plain_logging_gets_events_in_its_own_form(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """Its handler, level and format stay; an event's name is the message, its facts attributes."""
    done = run(PLAIN, sandbox, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    lines = [line.split("|") for line in done.stdout.splitlines()]
    assert all(line[-1] == "host" for line in lines)
    assert [line[2] for line in lines if line[1] == "app"] == ["before", "after"]
    told = {line[2]: line for line in lines if line[1] == "uploader" and line[3] != "None"}
    assert told.keys() >= {"upload_started", "retry_scheduled", "upload_completed", "upload_failed"}
    assert "part_started" not in told
    assert told["upload_failed"][0] == "ERROR"


STRUCTLOG = """
import json, structlog
seen = []
def note(logger, name, facts):
    seen.append(facts["event"])
    return facts
structlog.configure(processors=[note, structlog.processors.JSONRenderer()],
                    logger_factory=structlog.PrintLoggerFactory(sys.stdout))
before = structlog.get_config()
structlog.get_logger().info("before")
upload()
structlog.get_logger().info("after")
assert structlog.get_config() == before
assert seen == ["before", "after"], seen
from uploader.logging import configure
configure(format="json", stream=sys.stderr)
assert structlog.get_config() == before
"""


def test_a_host_that_configured_structlog_keeps_it(sandbox: Sandbox, tmp_path: Path) -> None:
    """Its processors see nothing of ours, and its configuration is the same object after it."""
    done = run(STRUCTLOG, sandbox, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert [json.loads(line)["event"] for line in done.stdout.splitlines()] == ["before", "after"]


DJANGO = """
import django, structlog
from django.conf import settings
from django.http import HttpResponse
from django.urls import path

structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.filter_by_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
    ],
    logger_factory=structlog.stdlib.LoggerFactory(),
)
before = structlog.get_config()
settings.configure(
    ALLOWED_HOSTS=["*"],
    SECRET_KEY="s",
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=["django_structlog"],
    MIDDLEWARE=["django_structlog.middlewares.RequestMiddleware"],
    LOGGING={
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {
            "()": structlog.stdlib.ProcessorFormatter,
            "processor": structlog.processors.JSONRenderer(),
            "foreign_pre_chain": [
                structlog.stdlib.add_logger_name,
                structlog.stdlib.add_log_level,
                structlog.stdlib.ExtraAdder(),
            ],
        }},
        "handlers": {"out": {"class": "logging.StreamHandler", "stream": sys.stdout,
                             "formatter": "json"}},
        "loggers": {"django_structlog": {"handlers": ["out"], "level": "INFO"},
                    "app": {"handlers": ["out"], "level": "INFO"},
                    "uploader": {"handlers": ["out"], "level": "INFO"}},
    },
)

def view(request):
    log = structlog.get_logger("app")
    log.info("view_begins")
    upload()
    log.info("view_ends")
    return HttpResponse("ok")

urlpatterns = [path("", view)]
django.setup()
from django.test import Client
assert Client().get("/").content == b"ok"
assert structlog.get_config() == before
"""


def test_a_django_host_with_django_structlog_gets_one_kind_of_lines(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """Its requests keep their ids, and our events are JSON of its own form with the upload's id."""
    done = run(DJANGO, sandbox, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    by = {name: [line for line in lines if line["logger"].startswith(name)]
          for name in ("django_structlog", "app", "uploader")}  # fmt: skip
    assert [line["event"] for line in by["django_structlog"]] == [
        "request_started", "request_finished",
    ]  # fmt: skip
    assert [line["event"] for line in by["app"]] == ["view_begins", "view_ends"]
    assert len({line["request_id"] for line in by["django_structlog"] + by["app"]}) == 1
    told = [line for line in by["uploader"] if "upload_id" in line]
    assert {"upload_started", "upload_completed", "upload_failed"} <= {
        line["event"] for line in told
    }
    assert all(line["transport"] == "tiktok" and line["level"] for line in told)


CONFIGURED = """
from uploader.logging import configure
configure(format=FORMAT, level="debug")
upload()
"""


def test_as_json_every_line_is_one_event(sandbox: Sandbox, tmp_path: Path) -> None:
    """Whatever a file is called; every event has its upload's id, a level and a time."""
    done = run(CONFIGURED.replace("FORMAT", '"json"'), sandbox, tmp_path)
    assert (done.returncode, done.stdout) == (0, "")
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    told = [line for line in lines if "transport" in line]
    assert len(lines) - len(told) == 2  # that no account was named, twice
    assert all(line["upload_id"] and line["level"] and line["timestamp"] for line in told)
    assert len({line["upload_id"] for line in told}) == 2
    assert {line["source"] for line in told if line["event"] == "upload_started"} >= {
        "a\n\x1b[31mclip.mp4"
    }


def test_on_a_console_every_line_is_one_event(sandbox: Sandbox, tmp_path: Path) -> None:
    """A file's name neither breaks a line nor reaches the terminal as a command to it."""
    done = run(CONFIGURED.replace("FORMAT", '"console"'), sandbox, tmp_path)
    assert (done.returncode, done.stdout) == (0, "")
    assert "\x1b" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if "no account" not in line]
    assert all(LINE.match(line) for line in lines), done.stderr
    assert all("upload_id=" in line for line in lines)
    assert r"a\n\x1b[31mclip.mp4" in done.stderr


# -- the subscriber ------------------------------------------------------------------------------


def test_configuring_twice_replaces_the_first(ours: logging.Logger) -> None:
    """The last stream, format and level count; lines do not come twice."""
    first, second = io.StringIO(), io.StringIO()
    configure(format="console", stream=first)
    configure(format="json", level="warning", stream=second)
    LogSubscriber()(events.RetryScheduled(**WHO, operation="put", attempt=1, wait=1, error="x"))
    LogSubscriber()(events.SourceFallback(**WHO, reason="open for writing"))
    LogSubscriber()(events.SessionCreated(**WHO, seconds=1.0))
    lines = [json.loads(line) for line in second.getvalue().splitlines()]
    assert [line["event"] for line in lines] == ["retry_scheduled", "source_fallback"]
    assert first.getvalue() == ""


def test_what_cannot_be_configured_is_said(ours: logging.Logger) -> None:
    """An unknown format or level is the caller's error, and changes nothing."""
    before = list(ours.handlers)
    with pytest.raises(ConfigurationError, match="no log format 'xml'"):
        configure(format="xml")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="no log level 'loud'"):
        configure(level="loud")
    assert ours.handlers == before


@pytest.mark.parametrize("kind", kinds(), ids=event_name)
def test_every_event_becomes_a_record(
    kind: type[events.Event], ours: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    """Each with all of its fields; none has a name that a log record has for itself."""
    stand_ins: dict[str, Any] = {"int": 3, "float": 1.5, "bool": True, "Outcome": Outcome.DONE}
    event = kind(**{f.name: stand_ins.get(str(f.type), "text") for f in fields(kind)})
    ours.propagate = True
    with caplog.at_level(logging.DEBUG, "uploader"):
        LogSubscriber()(event)
    (record,) = caplog.records
    assert (record.name, record.msg) == ("uploader", event_name(kind))
    renamed = {"name": "source", "message": "detail"}
    for name, value in event.facts().items():
        assert getattr(record, renamed.get(name, name)) == value


def test_an_event_of_no_upload_names_none(
    ours: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    """A token is of an account; the line has no empty id."""
    ours.propagate = True
    with caplog.at_level(logging.DEBUG, "uploader"):
        LogSubscriber()(
            events.TokenRefreshed(transport="tiktok", account="a", outcome="refreshed", seconds=1)
        )
    assert not hasattr(caplog.records[0], "upload_id")
    assert caplog.records[0].__dict__["account"] == "a"
