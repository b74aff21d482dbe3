"""Web workers whom slow clients do not keep from answering others."""

import contextlib
import math
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

READING_THREADS = 256
HEAD_SECONDS = 10.0
BODY_SECONDS = 60.0


class PatientWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn is untyped
    """Reads requests in many threads, which cost little, and answers as many at a time as it has been given threads.

    Gunicorn's own worker reads in the threads that answer, and waits without end for the rest of a request: as many
    clients as there are threads, each sending half a line, would silence it.

    Notes
    -----
    A head that has not come within ten seconds, or a body within a minute, ends as if the client had hung up.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 -- what gunicorn gives its workers
        super().__init__(*args, **kwargs)
        self._answering = threading.BoundedSemaphore(self.cfg.threads)
        self._deadlines: dict[Any, float] = {}

    def get_thread_pool(self) -> ThreadPoolExecutor:
        """Make the threads that read; they are started as they are needed."""
        return ThreadPoolExecutor(READING_THREADS)

    def handle(self, conn: Any) -> Any:  # noqa: ANN401 -- gunicorn is untyped
        """Read a request and answer it, in one of the threads."""
        self._deadlines[conn] = time.monotonic() + HEAD_SECONDS
        try:
            return super().handle(conn)
        finally:
            del self._deadlines[conn]

    def handle_request(self, req: Any, conn: Any) -> Any:  # noqa: ANN401 -- gunicorn is untyped
        """Answer a request whose head was read; that it waits for its turn is not the client's doing."""
        self._deadlines[conn] = math.inf
        with self._answering:
            self._deadlines[conn] = time.monotonic() + BODY_SECONDS
            return super().handle_request(req, conn)

    def murder_pending(self) -> None:
        """End what takes too long to arrive; called every second, or more often."""
        super().murder_pending()
        now = time.monotonic()
        for conn, deadline in list(self._deadlines.items()):
            if deadline <= now:
                with contextlib.suppress(OSError):  # closed meanwhile
                    # not the method of a TLS socket, which would go on in the clear: the answer can still be written
                    socket.socket.shutdown(conn.sock, socket.SHUT_RD)
