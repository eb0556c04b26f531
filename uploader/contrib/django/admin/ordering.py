"""What can be ordered for uploads, from the list and from an upload's page.

Rule: orders go through the journal, each under a permission of its own. What posts, ends an upload
or is believed without proof is asked on a page first; a page that posts does so once, however
often it is sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse

from uploader.contrib.django import get_uploader, orders, signals
from uploader.contrib.django.admin import pages, shown
from uploader.contrib.django.admin.readonly import ReadOnlyAdmin
from uploader.contrib.django.models import Upload
from uploader.engine.claiming import recorded
from uploader.errors import ConfigurationError, UploaderError
from uploader.journal import DEAD, ENDED, Entry, State
from uploader.model import Outcome

Rows = QuerySet[Upload]
YES: Final = "yes"
"""The field of a page that asks: the answer."""
SURE: Final = "sure"
"""The box to tick where something is posted."""
FROM: Final = "from"
"""The field that names the upload on whose page an order was given."""
NEW: Final = "new-"
"""How the fields begin that hold the ids of what is about to be posted."""


MOST: Final = 100
"""Uploads of one order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A page that asks before an order is carried out."""

    title: str
    asks: str
    button: str
    warning: str = ""
    sure: str = ""
    reason: str = ""
    danger: bool = True


POST_AGAIN: Final = Question(
    title="Post again",
    asks="A further post is made of each of these files, beside whatever is there already.",
    warning="Nobody can take a post back from here: followers may see the same video twice.",
    sure="Yes, I want these to be posted once more",
    button="Post again",
)
CANCEL: Final = Question(
    title="Cancel uploads",
    asks="These uploads are given up for good. Of what may be posted, the destination is asked"
    " first.",
    button="Cancel the uploads",
)
CALL_DONE: Final = Question(
    title="Call uploads done",
    asks="You have looked at the account, and they are there: they are recorded as done, and never"
    " sent again by themselves.",
    button="They are there",
    danger=False,
)
CALL_FAILED: Final = Question(
    title="Call uploads failed",
    asks="You have looked at the account, and they are not there: they are recorded as failed.",
    warning="From then on the same file may be posted anew. If it was there after all, it is posted"
    " twice.",
    button="They are not there",
)
PAUSE: Final = Question(
    title="Pause accounts",
    asks="No further upload of these accounts is begun until somebody lifts the pause. What is on"
    " its way ends as usual.",
    reason="Why",
    button="Pause",
    danger=False,
)
GRAVE: Final = ("cancel", "call_failed", "post_again")


class Ordering(ReadOnlyAdmin):
    """The orders, as actions of the list and buttons of the page."""

    actions: ClassVar[list[str]] = [  # type: ignore[misc]
        "let_go_on",
        "ask",
        "call_done",
        "call_failed",
        "cancel",
        "pause_accounts",
        "unpause_accounts",
        "post_again",
    ]

    def has_resume_permission(self, request: HttpRequest) -> bool:
        return self.may(request, "resume_upload")

    def has_resolve_permission(self, request: HttpRequest) -> bool:
        return self.may(request, "resolve_upload")

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        return self.may(request, "cancel_upload")

    def has_repost_permission(self, request: HttpRequest) -> bool:
        return self.may(request, "repost_upload")

    def orders_for(self, request: HttpRequest, entry: Entry) -> list[dict[str, Any]]:
        """Return the buttons that make sense for an upload, and that the user may press."""
        allowed = self.get_actions(request)
        return [
            {"name": name, "label": label, "danger": name in GRAVE}
            for name, label in _sensible(entry)
            if name in allowed
        ]

    @admin.action(description="Let them go on now", permissions=["resume"])
    def let_go_on(self, request: HttpRequest, rows: Rows) -> HttpResponse | None:
        def order(row: Upload) -> str:
            up = get_uploader()
            orders.resume(up, row.upload_id, orders.dispatcher(up))
            return "goes on"

        return self._carry_out(request, rows, order)

    @admin.action(description="Ask the destination how they stand", permissions=["resolve"])
    def ask(self, request: HttpRequest, rows: Rows) -> HttpResponse | None:
        def order(row: Upload) -> str:
            result = get_uploader().resolve(row.upload_id)
            if result.outcome is Outcome.UNKNOWN and result.error is not None:
                raise result.error
            return f"was asked about: {result.outcome}"

        return self._carry_out(request, rows, order)

    @admin.action(description="They are there: call them done…", permissions=["resolve"])
    def call_done(self, request: HttpRequest, rows: Rows) -> HttpResponse | None:
        return self._settle(request, rows, CALL_DONE, posted=True)

    @admin.action(description="They are not there: call them failed…", permissions=["resolve"])
    def call_failed(self, request: HttpRequest, rows: Rows) -> HttpResponse | None:
        return self._settle(request, rows, CALL_FAILED, posted=False)

    @admin.action(description="Cancel…", permissions=["cancel"])
    def cancel(self, request: HttpRequest, rows: Rows) -> HttpResponse | None:
        def order(row: Upload) -> str:
            up, by = get_uploader(), request.user.get_username()
            result = orders.cancel(up, row.upload_id, by=by)
            if result.outcome is not Outcome.CANCELLED and result.error is not None:
                raise result.error
            return "is cancelled"

        return self._asked(request, rows, CANCEL) or self._carry_out(request, rows, order)

    @admin.action(description="Pause their accounts…", permissions=["pause"])
    def pause_accounts(self, request: HttpRequest, rows: Rows) -> HttpResponse | None:
        def order(row: Upload) -> str:
            _refuse_without_account(row)
            reason = request.POST.get("reason", "").strip() or "paused in the admin"
            who = request.user.get_username()
            orders.pause(get_uploader(), row.transport, row.account, reason, who)
            return f"{shown.text(row.account)} is paused"

        return self._asked(request, rows, PAUSE) or self._carry_out(
            request, _one_each(rows), order, named=False
        )

    @admin.action(description="Lift the pauses of their accounts", permissions=["unpause"])
    def unpause_accounts(self, request: HttpRequest, rows: Rows) -> HttpResponse | None:
        def order(row: Upload) -> str:
            _refuse_without_account(row)
            count = get_uploader().journal.unpause(row.transport, row.account)
            name = shown.text(row.account)
            return f"{name} goes on" if count else f"{name} was not paused by itself"

        return self._carry_out(request, _one_each(rows), order, named=False)

    @admin.action(description="Post again…", permissions=["repost"])
    def post_again(self, request: HttpRequest, rows: Rows) -> HttpResponse | None:
        def order(row: Upload) -> str:
            up = get_uploader()
            new_id = request.POST.get(f"{NEW}{row.upload_id}", "")
            made = orders.post_again(up, row.upload_id, new_id, orders.dispatcher(up))
            return f"is posted again as {made.upload_id}"

        return self._asked(request, rows, POST_AGAIN) or self._carry_out(request, rows, order)

    def _settle(
        self, request: HttpRequest, rows: Rows, question: Question, *, posted: bool
    ) -> HttpResponse | None:
        def order(row: Upload) -> str:
            by = request.user.get_username()
            entry = orders.settle(get_uploader(), row.upload_id, posted=posted, by=by)
            signals.announce(entry, recorded(entry), by=by)
            return f"is called {entry.state}"

        return self._asked(request, rows, question) or self._carry_out(request, rows, order)

    # How an order is asked about and carried out.

    def _asked(self, request: HttpRequest, rows: Rows, question: Question) -> HttpResponse | None:
        """Return the page that asks, `None` when it was answered."""
        if self._too_many(request, rows):
            return self._back(request)
        if request.POST.get(YES) and (not question.sure or request.POST.get(SURE)):
            return None
        up = get_uploader()
        entries = [entry for row in rows if (entry := up.journal.get(row.upload_id)) is not None]
        posts = question is POST_AGAIN
        asked = [
            {
                "facts": pages.summary(entry),
                "state": shown.badge(entry.state),
                "field": f"{NEW}{entry.upload_id}" if posts else "",
                "new_id": orders.new_id(entry) if posts else "",
                "refusal": orders.why_not_again(entry) if posts else "",
            }
            for entry in entries
        ]
        context = {
            **self.admin_site.each_context(request),
            "title": question.title,
            "question": question,
            "opts": self.opts,
            "media": self.media,
            "asked": asked,
            "selected": [str(row.pk) for row in rows],
            "checkbox": ACTION_CHECKBOX_NAME,
            "action": request.POST["action"],
            "from_page": request.POST.get(FROM, ""),
            "possible": any(not each["refusal"] for each in asked),
            "reason": request.POST.get("reason", ""),
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, "admin/mmap_uploader/upload/confirm.html", context)

    def _carry_out(
        self,
        request: HttpRequest,
        rows: Iterable[Upload],
        order: Callable[[Upload], str],
        *,
        named: bool = True,
    ) -> HttpResponse | None:
        """Carry an order out for each upload, tell what came of it, and log who gave it."""
        rows = list(rows)
        if self._too_many(request, rows):
            return self._back(request)
        for row in rows:
            name = f"{shown.text(row.name) or 'a stream'} ({row.upload_id}) " if named else ""
            try:
                came = order(row)
            except UploaderError as error:
                hints = "".join(f" ({hint})" for hint in error.hints)
                self.message_user(request, f"{name}{error.message}{hints}", messages.ERROR)
            else:
                self.message_user(request, f"{name}{came}", messages.SUCCESS)
                self.log_change(request, row, came)
        return self._back(request)

    def _too_many(self, request: HttpRequest, rows: Iterable[Upload]) -> bool:
        """Refuse what a request could neither ask about nor carry out in its time."""
        count = rows.count() if isinstance(rows, QuerySet) else len(list(rows))
        if count > MOST:
            told = f"{count:,} uploads are chosen, and {MOST} are the most at a time"
            self.message_user(request, told, messages.ERROR)
        return count > MOST

    def _back(self, request: HttpRequest) -> HttpResponse:
        """Lead to where the order was given: an upload's page, or the list."""
        page, model = request.POST.get(FROM, ""), f"admin:{self.opts.app_label}_upload"
        if page.isdecimal():
            where = reverse(f"{model}_change", args=[page], current_app=self.admin_site.name)
            return HttpResponseRedirect(where)
        return HttpResponseRedirect(request.get_full_path())


def _refuse_without_account(row: Upload) -> None:
    """Refuse what would hold back, or let go, all accounts of a destination."""
    if row.account is None:
        raise ConfigurationError(
            f"an upload to {row.transport} without an account was chosen"
        ).hint("a whole destination is paused, and goes on, where the pauses are")


def _one_each(rows: Iterable[Upload]) -> Iterable[Upload]:
    """Return one upload of each account."""
    found: Mapping[tuple[str, str | None], Upload] = {
        (row.transport, row.account): row for row in rows
    }
    return found.values()


def _sensible(entry: Entry) -> Iterable[tuple[str, str]]:
    """Name the orders that make sense for an upload, the likeliest first."""
    if entry.holder is not None:
        return
    if entry.state is State.UNKNOWN:
        yield "ask", "Ask the destination"
        yield "call_done", "It is there: call it done…"
        yield "call_failed", "It is not there: call it failed…"
    elif entry.state is State.PROCESSING:
        yield "ask", "Ask the destination"
    elif entry.state not in ENDED:
        yield "let_go_on", "Let it go on now"
        if entry.state is not State.QUEUED:
            yield "ask", "Ask the destination"
        yield "cancel", "Cancel…"
    if not orders.why_not_again(entry):
        yield "post_again", "Try again…" if entry.state in DEAD else "Post again…"
