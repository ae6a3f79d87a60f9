"""The way to a shared tracking server: there, of a fitting version, open to us, or one sentence that says why not."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

import requests
from mlflow.exceptions import MlflowException
from mlflow.utils.credentials import get_default_host_creds
from mlflow.utils.rest_utils import http_request

from lifestage.errors import InputError

OLDEST = 3
"""Major version of a server that keeps models as ours are logged."""
KNOCK_SECONDS = 10
PATIENCE = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "60",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
}
"""MLflow's own patience with a server that is away is four minutes for each request."""
SIGN_IN = "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD in the environment"


def remote(uri: str) -> bool:
    """Whether `uri` names a server, not a database."""
    return uri.startswith(("http://", "https://"))


def shown(uri: str) -> str:
    """The address without what may be secret in it."""
    return re.sub(r"://[^/@]*@", "://", uri).partition("?")[0]


def knock(uri: str) -> None:
    """Ask a server once for its version, and for its experiments: is it there, does it know us?

    A database is not asked. Raises InputError within seconds where the server is away, old, something else, or refuses
    the user.
    """
    if not remote(uri):
        return
    for name, value in PATIENCE.items():
        os.environ.setdefault(name, value)
    where = f"tracking_uri: {shown(uri)}"
    with sentences(uri):
        creds = get_default_host_creds(uri.rstrip("/"))
        answer = http_request(creds, "/version", "GET", timeout=KNOCK_SECONDS, max_retries=1)
        if answer.status_code == 401:
            raise InputError(_refused(where))
        found = re.fullmatch(r"(\d+)\.\d+\S*", answer.text.strip()) if answer.status_code == 200 else None
        if found is None:
            raise InputError(
                f"{where} answers, but not as an MLflow server does (GET /version gave {answer.status_code}); "
                "give the address that a browser shows MLflow's page at"
            )
        if int(found[1]) < OLDEST:
            raise InputError(
                f"{where} runs MLflow {found[0]}, expected {OLDEST}.0 or later; ask who keeps the server to upgrade it"
            )
        body = {"max_results": 1}
        asked = http_request(
            creds,
            "/api/2.0/mlflow/experiments/search",
            "POST",
            json=body,
            timeout=KNOCK_SECONDS,
            max_retries=1,
        )
        if asked.status_code == 401:
            raise InputError(_refused(where))
        if asked.status_code != 200:
            raise InputError(f"{where} does not serve us: {_first_line(asked.text)}")


@contextmanager
def sentences(uri: str) -> Iterator[None]:
    """What MLflow raises in the block comes out as InputError: one sentence with the address and what to do."""
    try:
        yield
    except (MlflowException, requests.exceptions.RequestException) as error:
        raise InputError(explained(uri, error)) from None


def explained(uri: str, error: Exception) -> str:
    """One sentence for an exception of MLflow's or of requests'."""
    where = f"tracking_uri: {shown(uri)}"
    causes = list(_causes(error))
    answers = (getattr(cause, "response", None) for cause in causes)
    status = next((answer.status_code for answer in answers if answer is not None), 0)
    code = getattr(error, "error_code", "")

    def due_to(kind: type[Exception]) -> bool:
        return any(isinstance(cause, kind) for cause in causes)

    if code == "UNAUTHENTICATED" or status == 401:
        return _refused(where)
    said = f"failed: {_first_line(str(error))}"
    if code == "PERMISSION_DENIED" or status == 403:
        said = (
            f"does not permit this to user '{os.environ.get('MLFLOW_TRACKING_USERNAME', '')}'; ask who keeps the "
            "server for the permission MANAGE on the shop's experiment and models"
        )
    elif due_to(requests.exceptions.SSLError):
        said = (
            "has a certificate that is not trusted; name the file of its authority in "
            "MLFLOW_TRACKING_SERVER_CERT_PATH"
        )
    elif due_to(requests.exceptions.Timeout) or "timed out" in str(error):
        said = "does not answer in time; see that the server is well, then run the same again"
    elif due_to(requests.exceptions.ConnectionError):
        said = "cannot be reached; see that the server runs and the address is right, then run the same again"
    elif "out-of-date database schema" in str(error):
        said = f"was written by an older MLflow; keep a copy of it, then run: mlflow db upgrade {shown(uri)}"
    return f"{where} {said}"


def _refused(where: str) -> str:
    if os.environ.get("MLFLOW_TRACKING_USERNAME"):
        user = os.environ["MLFLOW_TRACKING_USERNAME"]
        return (
            f"{where} refuses user '{user}' with this password; {SIGN_IN} as who keeps the server gave them"
        )
    return f"{where} asks for a user and a password; {SIGN_IN}"


def _first_line(text: str) -> str:
    return next(iter(text.strip().splitlines()), "no reason given")[:300]


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The exception and those that it came from."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
