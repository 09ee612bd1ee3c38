"""What all tests share: devices, figures closed behind every test, one place for tolerances."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest
import torch

if TYPE_CHECKING:
    from browser import Visit
    from playwright.sync_api import Browser

from diffred_core.running.threads import thread_environment

os.environ.update(thread_environment(1))  # the same for the kernels and commands that tests start
torch.set_num_threads(1)  # the arrays of tests are small: waiting for a second thread takes longer than their sums
_DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


@pytest.fixture(params=_DEVICES)
def device(request: pytest.FixtureRequest) -> torch.device:
    """Every device there is: the CPU always, a GPU if present."""
    return torch.device(request.param)


@pytest.fixture
def tolerance() -> Callable[[torch.Tensor | torch.dtype], dict[str, float]]:
    """Keywords for ``torch.testing.assert_close``: what the products of this dtype and device are good for.

    The values compared are float64 throughout; a float32 product on a GPU is summed in another order.
    """

    def choose(X: torch.Tensor | torch.dtype) -> dict[str, float]:
        dtype = X if isinstance(X, torch.dtype) else X.dtype
        on_gpu = isinstance(X, torch.Tensor) and X.device.type == "cuda"
        limit = {torch.float64: 1e-11, torch.float32: 1e-5 if on_gpu else 2e-6}[dtype]
        return {"rtol": limit, "atol": limit, "check_dtype": False, "check_device": False}

    return choose


@pytest.fixture(autouse=True)
def _close_figures() -> Iterator[None]:
    """Close what a test has drawn, without loading matplotlib for those that draw nothing."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


@pytest.fixture(scope="module")
def system_chromium() -> Iterator[Browser]:
    """The browser of the system; without one a test is skipped, or fails where DIFFRED_NEEDS_BROWSER is set.

    It ends with each file of tests: while it runs, nothing else of this process may have an event loop.
    """
    pytest.importorskip("playwright", reason="the extra dev brings Playwright: pip install 'diffred-core[dev]'")
    from browser import running_browser, system_browser

    executable = system_browser()
    if executable is None:
        missing = "there is no Chromium on this machine; Debian, Ubuntu: apt install chromium"
        (pytest.fail if os.environ.get("DIFFRED_NEEDS_BROWSER") else pytest.skip)(missing)
    with running_browser(executable) as browser:
        yield browser


@pytest.fixture
def open_page(system_chromium: Browser) -> Iterator[Callable[..., Visit]]:
    """Open a page in a browser: ``open_page(path, width=390, theme="dark", scripts=False)``; see ``browser.py``."""
    from browser import visit

    opened = []

    def open_one(path, **how):
        opened.append(visit(system_chromium, path, **how))
        return opened[-1]

    yield open_one
    for one in opened:
        one.page.close()
