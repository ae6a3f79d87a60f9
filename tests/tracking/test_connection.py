"""A tracking server that is away, old, slow, something else or closed to us: one sentence each, within seconds."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from mlflow.exceptions import MlflowException

from lifestage.errors import InputError
from lifestage.settings import parse
from lifestage.tracking import Tracker, connection
from lifestage.tracking.connection import PATIENCE, explained, knock, remote, sentences, shown

Answer = tuple[int, str]


@pytest.fixture(autouse=True)
def _nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", *PATIENCE):
        monkeypatch.setenv(name, "1")  # so that what is set meanwhile is undone
        monkeypatch.delenv(name)


@contextmanager
def server(answer: Callable[[str, str | None], Answer]) -> Iterator[str]:
    """A server whose answer to (path, Authorization) is given; yields its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, text = answer(self.path, self.headers.get("Authorization"))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(text.encode())

        do_POST = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None: ...

    made = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=made.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{made.server_port}"
    finally:
        made.shutdown()
        made.server_close()


def well(path: str, _: str | None) -> Answer:
    return 200, "3.17.2" if path == "/version" else json.dumps({"experiments": []})


def test_a_server_that_is_well_is_taken() -> None:
    with server(well) as url:
        knock(url)
        knock(f"{url}/")


def test_our_name_and_password_are_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def answer(path: str, authorization: str | None) -> Answer:
        seen.append(authorization)
        return well(path, authorization)

    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "ana")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "secret")
    with server(answer) as url:
        knock(url)
    assert seen == ["Basic YW5hOnNlY3JldA=="] * 2  # base64 of ana:secret


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (
            lambda *_: (401, "You are not authenticated."),
            "asks for a user and a password; set MLFLOW_TRACKING_USERNAME and",
        ),
        (
            lambda *_: (200, "2.22.1"),
            "runs MLflow 2.22.1, expected 3.0 or later; ask who keeps the server to upgrade it",
        ),
        (
            lambda *_: (200, "<html>hello</html>"),
            "answers, but not as an MLflow server does (GET /version gave 200); give",
        ),
        (
            lambda *_: (404, "nothing"),
            "answers, but not as an MLflow server does (GET /version gave 404); give",
        ),
        (
            lambda path, _: (
                (200, "3.1.0") if path == "/version" else (403, "Invalid Host header - possible DNS\nmore")
            ),
            "does not serve us: Invalid Host header - possible DNS",
        ),
        (
            lambda path, _: (200, "3.1.0") if path == "/version" else (401, "no"),
            "asks for a user and a password; set MLFLOW_TRACKING_USERNAME and",
        ),
    ],
)
def test_a_server_that_will_not_do_is_told_in_one_sentence(
    answer: Callable[[str, str | None], Answer], expected: str
) -> None:
    with server(answer) as url, pytest.raises(InputError) as caught:
        Tracker(url)
    assert str(caught.value).startswith(f"tracking_uri: {url} {expected}")
    assert "\n" not in str(caught.value)


def test_a_server_that_is_away_is_told_at_once() -> None:
    with socket.socket() as taken:  # bound, not listening: refused
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(
            InputError, match=r"cannot be reached; see that the server runs and the address is right"
        ):
            knock(url)
    with pytest.raises(InputError, match=r"tracking_uri: http://no\.host\.invalid:5000 cannot be reached"):
        knock("http://no.host.invalid:5000")


def test_a_server_that_says_nothing_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "KNOCK_SECONDS", 0.2)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(InputError, match="does not answer in time; see that the server is well"):
            knock(url)


def test_the_patience_of_requests_is_ours_unless_the_user_says_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import os

    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "7")
    with server(well) as url:
        knock(url)
    assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "7"
    assert os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == "3"


def test_a_database_is_not_asked() -> None:
    knock("sqlite:///never/there.db")
    assert not remote("sqlite:///x.db")
    assert remote("https://mlflow.example.com")


def test_no_password_is_shown() -> None:
    assert shown("https://ana:secret@host:5000/path") == "https://host:5000/path"
    assert shown("sqlite:///var/mlflow.db") == "sqlite:///var/mlflow.db"
    assert "secret" not in explained("http://ana:secret@host:5000", MlflowException("odd\nlines"))


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (
            MlflowException("Detected out-of-date database schema (found version a, but expected b)."),
            "was written by an older MLflow; keep a copy of it, then run: mlflow db upgrade sqlite:///var/mlflow.db",
        ),
        (MlflowException("odd\nlines"), "failed: odd"),
    ],
)
def test_what_else_mlflow_raises_is_one_sentence_too(error: MlflowException, expected: str) -> None:
    uri = "sqlite:///var/mlflow.db"
    with pytest.raises(InputError) as caught, sentences(uri):
        raise error
    assert str(caught.value) == f"tracking_uri: {uri} {expected}"


def test_a_mistake_of_ours_stays_one() -> None:
    with pytest.raises(ZeroDivisionError), sentences("http://host:5000"):
        raise ZeroDivisionError


@pytest.mark.parametrize("uri", ["http://ana:secret@host:5000", "postgresql://host/db?password=secret"])
def test_a_password_in_the_config_is_refused_and_not_repeated(uri: str) -> None:
    document = {
        "shop": "shop",
        "timezone": "UTC",
        "currency": "EUR",
        "sources": {
            "transactions": {
                "path": "x.csv",
                "columns": {"customer_id": "a", "ordered_at": "b", "amount": "c"},
            }
        },
        "tracking_uri": uri,
    }
    with pytest.raises(
        InputError, match="set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD in the"
    ) as caught:
        parse(document, "shop.yaml")
    assert "secret" not in str(caught.value)
