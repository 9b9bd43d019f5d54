"""A folder served over http on the loopback address, with and without ranges."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

Until = tuple[threading.Event, threading.Event, str]


class _Handler(SimpleHTTPRequestHandler):
    """Serves whole files, as the standard library does, or ranges of them as well."""

    protocol_version = "HTTP/1.1"

    def __init__(self, *arguments: Any, ranges: bool, seen: list[str], until: Until | None, **options: Any) -> None:
        self.ranges, self.seen, self.until = ranges, seen, until
        super().__init__(*arguments, **options)

    def do_GET(self) -> None:
        """Answer with 206 and the bytes asked for, or with the whole file."""
        self.seen.append(f"{self.path} {self.headers.get('Range', 'whole')}")
        if self.until is not None and self.until[2] in self.seen[-1]:
            self.until[0].set()
            self.until[1].wait(60)
        wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        path = Path(self.translate_path(self.path))
        if not self.ranges or wanted is None or not path.is_file():
            super().do_GET()
            return
        whole = path.read_bytes()
        part = whole[int(wanted[1]) : int(wanted[2]) + 1]
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {wanted[1]}-{int(wanted[1]) + len(part) - 1}/{len(whole)}")
        self.send_header("Content-Length", str(len(part)))
        self.end_headers()
        with suppress(ConnectionError):  # whoever asked may have been killed
            self.wfile.write(part)

    def log_message(self, *_: Any) -> None:
        """Keep quiet."""


@contextmanager
def serving(folder: Path, *, ranges: bool = True, until: Until | None = None) -> Iterator[tuple[str, list[str]]]:
    """Serve ``folder``; yield its URL and the list of GET requests so far, each "path range".

    ``until`` is an event that is set by the first request with a text in it, one that such requests wait for, and
    the text.
    """
    seen: list[str] = []
    handler = partial(_Handler, directory=str(folder), ranges=ranges, seen=seen, until=until)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", seen
        finally:
            server.shutdown()
            thread.join()
