"""A real browser without a window, where one is installed."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.support.wait import WebDriverWait

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
DRIVER = shutil.which("chromedriver")
needs_chromium = pytest.mark.skipif(
    CHROMIUM is None or DRIVER is None, reason="chromium and chromedriver are not installed"
)
PATIENCE = 20.0
"""Seconds for what a test waits for."""


class Browser:
    """One tab, and what a person would see in it."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    def open(self, url: str) -> None:
        self.driver.get("about:blank")
        self.driver.get_log("browser")  # type: ignore[no-untyped-call]
        self.driver.get(url)

    def run(self, script: str, *arguments: object) -> Any:
        return self.driver.execute_script(script, *arguments)

    def texts(self, css: str) -> list[str]:
        """Return the visible text of each element, as laid out."""
        found = "[...document.querySelectorAll(arguments[0])]"
        script = f"return {found}.map(e => (e.innerText ?? e.textContent).trim())"
        return list(self.run(script, css))

    def text(self, css: str) -> str:
        return " ".join(self.texts(css))

    def wait(self, happened: Callable[[], object]) -> None:
        """Wait until it is true of the page; else fail with what the page shows."""
        until = WebDriverWait(self.driver, PATIENCE, poll_frequency=0.02)
        until.until(lambda _: happened(), f"the page shows: {self.text('body')[:3000]}")

    @property
    def complaints(self) -> list[str]:
        """What the console says since the page was opened."""
        log = self.driver.get_log("browser")  # type: ignore[no-untyped-call]
        return [entry["message"] for entry in log]


@contextmanager
def opened(profile: Path) -> Iterator[Browser]:
    """Start a browser that keeps what it keeps in `profile`."""
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for argument in (
        "--headless=new",
        "--disable-dev-shm-usage",
        "--disable-gpu",
        "--window-size=1400,1500",
        f"--user-data-dir={profile}",
        # Chromium's own sandbox does not run as root.
        *(["--no-sandbox"] if os.geteuid() == 0 else []),
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(str(DRIVER)))
    try:
        yield Browser(driver)
    finally:
        driver.quit()
