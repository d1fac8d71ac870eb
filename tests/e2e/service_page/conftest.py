"""A server and a browser for the page of a service."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.browser import Browser, chromium
from tests.page_browser import elsewhere, visit
from tests.page_server import PageServer, made_up_about, made_up_predictions, serving


@pytest.fixture(scope="session")
def running() -> Iterator[PageServer]:
    server = PageServer()
    server.models["clothing"] = made_up_about(), made_up_predictions
    with serving(server) as started:
        yield started


@pytest.fixture
def server(running: PageServer) -> PageServer:
    running.reset()
    running.models = {"clothing": (made_up_about(), made_up_predictions)}
    return running


@pytest.fixture(scope="session")
def shared_browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with chromium(tmp_path_factory.mktemp("profile")) as started:
        started.driver.set_script_timeout(60)
        yield started


@pytest.fixture
def browser(shared_browser: Browser) -> Iterator[Browser]:
    shared_browser.show(1280)
    shared_browser.tell("Network.clearBrowserCache")
    yield shared_browser
    shared_browser.driver.get("about:blank")


@pytest.fixture
def page(browser: Browser, server: PageServer) -> Iterator[Browser]:
    """The page, open; after the test nothing was logged, and no other place was asked."""
    visit(browser, server.url)
    yield browser
    logged = [line for line in browser.console() if "status of 5" not in line]
    assert logged == []
    assert elsewhere(browser, server) == []
