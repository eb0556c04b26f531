"""The admin's site in a process of its own, a sandbox behind it, and a browser before it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.select import Select

from tests.browser import Browser, browser
from tests.django.admin_scene import PASSWORD
from transports.tiktok.sandbox import Sandbox
from uploader.cli.clip import CLIP

ROOT: Final = Path(__file__).parents[2]
UPLOADS: Final = "mmap_uploader/upload/"


class Office:
    """A person at the admin's pages; `films` are real files in the queue, by name."""

    def __init__(self, site: str, page: Browser, sandbox: Sandbox, films: dict[str, str]) -> None:
        self.site = site
        self.page = page
        self.sandbox = sandbox
        self.films = films

    def log_in(self, name: str) -> None:
        """Come in as a user, whoever was in before."""
        self.page.driver.delete_all_cookies()
        self.page.open(self.site)
        self.page.write("#id_username", name)
        self.page.write("#id_password", PASSWORD)
        self.page.go(self.page.find("[type=submit]"))

    def open(self, path: str = UPLOADS) -> None:
        self.page.open(self.site + path)

    @property
    def rows(self) -> list[str]:
        """The names of the uploads in the list."""
        return list(self._links)

    @property
    def _links(self) -> dict[str, WebElement]:
        links = self.page.all("#result_list tbody .field-what a")
        return {each.text.partition("\n")[0]: each for each in links}

    def look_up(self, name: str, *, query: str = "") -> None:
        """Open the page of one upload by way of the list."""
        self.open(f"{UPLOADS}?q={query or name}")
        self.page.go(self._links[name])

    def choose(self, action: str, *names: str) -> None:
        """Tick uploads in the list and give an order for them."""
        for row in self.page.all("#result_list tbody tr"):
            if row.find_element("css selector", ".field-what a").text.partition("\n")[0] in names:
                row.find_element("css selector", "input.action-select").click()
        Select(self.page.find("select[name=action]")).select_by_visible_text(action)
        self.page.go(self.page.find("button[name=index]"))

    def press(self, order: str) -> None:
        """Press a button of an upload's page."""
        self.page.go(self.page.find(f"button[name=order-{order}]"))

    @property
    def buttons(self) -> list[str]:
        return [each.text for each in self.page.all(".up-orders button")]

    @property
    def said(self) -> list[str]:
        """What the page says on top of an order."""
        return [each.text for each in self.page.all(".messagelist li")]

    @property
    def state(self) -> str:
        return self.page.find(".up-head .up-badge").text

    def wait_for_state(self, wanted: str) -> None:
        """Look again until the upload's page tells this state."""

        def look() -> bool:
            self.page.driver.refresh()
            return self.state == wanted

        self.page.until(look, f"the page never says {wanted}")


@contextmanager
def office(folder: Path, *films: str) -> Iterator[Office]:
    """Open the office, with files of these names in the queue."""
    files = [folder / name for name in films]
    for number, file in enumerate(files):
        # Other content for each: they are no two posts of one film.
        file.write_bytes(CLIP.read_bytes() + bytes([0, 0, 0, 9]) + b"free" + bytes([number]))
    with Sandbox() as sandbox:
        environment = {
            **os.environ,
            "ADMIN_SITE_DATABASE": str(folder / "site.sqlite3"),
            "ADMIN_SITE_TOKEN": sandbox.access_token,
            "ADMIN_SITE_TIKTOK": sandbox.base_url,
        }
        with (
            _served(environment, files) as (ids, site),
            browser(folder, width=1280, height=900) as page,
        ):
            yield Office(site, page, sandbox, dict(zip(films, ids, strict=True)))


@contextmanager
def _served(environment: dict[str, str], films: list[Path]) -> Iterator[tuple[list[str], str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.django.admin_site", *map(str, films)],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        told = [process.stdout.readline().strip() for _ in range(len(films) + 1)]
        assert told[-1].startswith("http://"), "the site did not start"
        yield told[:-1], told[-1]
    finally:
        process.stdin.close()
        process.stdout.close()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
