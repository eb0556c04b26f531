"""A real browser without a screen, and what is said where there is none.

Rule: nothing is downloaded, nothing leaves this machine, no test leaves anything to the next.
"""

import base64
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeVar

import pytest
from selenium.common.exceptions import WebDriverException
from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

T = TypeVar("T")

CHROMIUM: Final = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER: Final = shutil.which("chromedriver")
PATIENCE: Final = 20.0
"""Seconds until a page that does not come is a failure."""
PICTURES: Final = "UPLOADER_PICTURES"
"""Names the folder to which the tests write the pictures of the documentation."""

needs_browser = pytest.mark.skipif(
    CHROMIUM is None or DRIVER is None,
    reason="no chromium with its driver: apt-get install --no-install-recommends"
    " chromium chromium-driver",
)


class Browser:
    """One window, and the few things that a person does with it."""

    def __init__(self, driver: Chrome) -> None:
        self.driver = driver

    def open(self, url: str) -> None:
        self.driver.get(url)

    def find(self, selector: str) -> WebElement:
        """Return the first element that a CSS selector names, when it is there and shown."""
        found = self.until(
            lambda: next((each for each in self.all(selector) if each.is_displayed()), None),
            f"nothing is shown that fits {selector}",
        )
        assert found is not None
        return found

    def all(self, selector: str) -> list[WebElement]:
        """Return what fits a CSS selector now."""
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def link(self, text: str) -> WebElement:
        """Return the link with this text."""
        return self.driver.find_element(By.LINK_TEXT, text)

    def go(self, element: WebElement) -> None:
        """Click what leads to another page, and wait for it."""
        page = self.driver.find_element(By.TAG_NAME, "html")
        element.click()
        self.until(lambda: _is_gone(page), "the page stayed")

    def write(self, selector: str, text: str) -> None:
        field = self.find(selector)
        field.clear()
        field.send_keys(text)

    @property
    def text(self) -> str:
        """What can be read on the page."""
        return self.driver.find_element(By.TAG_NAME, "body").text

    @property
    def source(self) -> str:
        return self.driver.page_source

    def until(self, look: Callable[[], T], otherwise: str, *, within: float = PATIENCE) -> T:
        """Wait until a look finds something."""
        return WebDriverWait(self.driver, within, poll_frequency=0.05).until(
            lambda _: look(), message=otherwise
        )

    def picture(self, name: str, *, height: int) -> None:
        """Write a picture of the page for the documentation, when `PICTURES` asks for it."""
        folder = os.environ.get(PICTURES)
        if not folder:
            return
        before = self.driver.get_window_size()
        self.driver.set_window_size(before["width"], height)
        made = self.driver.execute_cdp_cmd("Page.captureScreenshot", {"optimizeForSpeed": False})
        (Path(folder) / f"{name}.png").write_bytes(base64.b64decode(made["data"]))
        self.driver.set_window_size(before["width"], before["height"])


def _is_gone(element: WebElement) -> bool:
    try:
        element.is_enabled()
    except WebDriverException:
        return True
    return False


@contextmanager
def browser(folder: Path, *, width: int = 1280, height: int = 900) -> Iterator[Browser]:
    """Run a browser that keeps what it writes in `folder`."""
    options = ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for argument in (
        "headless=new",
        "no-sandbox",  # root may not run it otherwise, and it sees this machine only
        "no-proxy-server",
        "disable-dev-shm-usage",
        "disable-gpu",
        "disable-background-networking",
        "disable-component-update",
        "disable-extensions",
        "hide-scrollbars",
        "no-first-run",
        f"user-data-dir={folder / 'profile'}",
        f"window-size={width},{height}",
    ):
        options.add_argument(f"--{argument}")
    service = ChromeService(executable_path=str(DRIVER), log_output=str(folder / "driver.log"))
    driver = Chrome(options=options, service=service)
    try:
        yield Browser(driver)
    finally:
        driver.quit()
