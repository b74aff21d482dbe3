"""What any service in Flask must spend on such a request: two applications that answer without scoring anything.

*Bare* sends the body back. *Typed* reads it into the same types as the service does, and writes as many scores as the
service would answer with. `python -m benchmarks.serving.echo PORT ANSWER` serves both with the service's own kind of
worker; ANSWER is a file with an answer of the service.
"""

import sys
import time
from pathlib import Path

import msgspec
from flask import Flask, Response, g, request
from gunicorn.app.base import BaseApplication

from models.scores import Score
from service.api.schemas import ScoreAnswer, ScoreRequest
from service.workers import PatientWorker


class _Answer(msgspec.Struct):
    scores: list[Score]
    model: str


def create_app(answer: bytes) -> Flask:
    app, told = Flask(__name__), msgspec.json.decode(answer, type=_Answer)

    @app.before_request
    def begin() -> None:
        g.started = time.perf_counter()

    @app.after_request
    def finish(response: Response) -> Response:
        response.headers["Server-Timing"] = f"total;dur={(time.perf_counter() - g.started) * 1000:.2f}"
        return response

    @app.post("/bare")
    def bare() -> Response:
        return Response(request.get_data(cache=False), content_type="application/json")

    @app.post("/typed")
    def typed() -> Response:
        windows = msgspec.json.decode(request.get_data(cache=False), type=ScoreRequest).windows
        scores = told.scores[: len(windows)]
        return Response(
            msgspec.json.encode(ScoreAnswer(scores=scores, model=told.model)), content_type="application/json"
        )

    return app


class _Server(BaseApplication):  # type: ignore[misc]  # gunicorn is untyped
    def __init__(self, port: int, answer: bytes) -> None:
        self._port, self._answer = port, answer
        super().__init__()

    def load_config(self) -> None:
        for name, value in {
            "bind": f"127.0.0.1:{self._port}",
            "workers": 1,
            "threads": 8,
            "worker_class": PatientWorker,
            "keepalive": 5,
            "control_socket_disable": True,
            "loglevel": "warning",
        }.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        return create_app(self._answer)


if __name__ == "__main__":
    _Server(int(sys.argv[1]), Path(sys.argv[2]).read_bytes()).run()
