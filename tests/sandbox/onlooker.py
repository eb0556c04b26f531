"""Who looks at a page: what it shows, and what its console says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.browser import Browser


class Onlooker:
    """Reads a page in a browser's window."""

    def __init__(self, window: Browser) -> None:
        self.window = window
        self.driver = window.driver

    def open(self, url: str) -> None:
        """Open an address, with an empty console."""
        self.window.open("about:blank")
        assert self.complaints is not None
        self.window.open(url)

    def run(self, script: str, *arguments: object) -> Any:
        return self.driver.execute_script(script, *arguments)

    def texts(self, css: str) -> list[str]:
        """Return the text of each element, as laid out."""
        found = "[...document.querySelectorAll(arguments[0])]"
        script = f"return {found}.map(e => (e.innerText ?? e.textContent).trim())"
        return list(self.run(script, css))

    def text(self, css: str) -> str:
        return " ".join(self.texts(css))

    def wait(self, happened: Callable[[], object]) -> None:
        """Wait until it is true of the page; else fail with what the page shows."""
        self.window.until(happened, f"not so when the page showed: {self.text('body')[:2000]}")

    @property
    def complaints(self) -> list[str]:
        """What the console has said since it was asked before."""
        log = self.driver.get_log("browser")  # type: ignore[no-untyped-call]
        return [entry["message"] for entry in log]
