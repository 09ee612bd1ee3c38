"""Whether weights can be downloaded at all, found out in seconds: libraries try for a minute before they say no."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from threading import Thread
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

PATIENCE = 3.0  # seconds for a connection to be made; what comes through it may be as slow as it likes


def reachable(url: str, *, seconds: float = PATIENCE) -> bool:
    """Return whether a connection to the host of `url`, or to the proxy before it, is made within `seconds`.

    Only the connection is tried, in a thread of its own: looking up a name has no time limit otherwise.
    """
    made: list[bool] = []

    def connect() -> None:
        with contextlib.suppress(OSError), socket.create_connection(_address(url), timeout=seconds):
            made.append(True)

    thread = Thread(target=connect, daemon=True)
    thread.start()
    thread.join(seconds)
    return bool(made)


def _address(url: str) -> tuple[str, int]:
    parts, proxies = urlsplit(url), getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if proxy and not proxy_bypass(parts.hostname or ""):
        parts = urlsplit(proxy if "//" in proxy else f"//{proxy}")
    return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


@contextlib.contextmanager
def cache_where_offline() -> Iterator[None]:
    """Let the hub's library look into its cache only, as long as the hub cannot be reached."""
    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = before or not reachable(constants.ENDPOINT)
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before
