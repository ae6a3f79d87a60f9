"""Alone with a shop's aliases on a tracking server, across machines: MLflow has no compare-and-swap of its own.

The lock is a registered model of an agreed name: of several that create one of the same name the server lets one,
on every kind of store. It lives for the seconds in which aliases move; one that a dead process left is broken.
"""

import os
import socket
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from lifestage.errors import InputError

TAKEN = "RESOURCE_ALREADY_EXISTS"
STALE_SECONDS = 300.0
"""Aliases move in seconds: a lock this old is of a process that died on another machine."""


@contextmanager
def lock(
    client: MlflowClient,
    name: str,
    clock: Callable[[], float],
    sleep: Callable[[float], object],
    patience_seconds: float = 60.0,
) -> Iterator[None]:
    """Hold the lock `name`; waits for another holder. `clock`: seconds since 1970, as the server's; `sleep`: waits.

    Raises InputError after `patience_seconds`, saying who has it.
    """
    host, mark = socket.gethostname(), uuid.uuid4().hex
    tags = {"host": host, "pid": str(os.getpid()), "mark": mark}
    begun, pause = clock(), 0.1
    while not _created(client, name, tags):
        holder = _holder(client, name)
        if holder is not None and _dead(holder, host, clock()):
            _break(client, name, mark, holder.get("mark"))
            continue
        if clock() - begun > patience_seconds:
            who = f"process {holder['pid']} on {holder['host']}" if holder and "pid" in holder else "another"
            raise InputError(
                f"the registered model '{name}' says that {who} is promoting at this moment; nothing was changed: "
                "run the same again when it has ended"
            )
        sleep(pause)
        pause = min(2 * pause, 2.0)
    try:
        yield
    finally:
        if (_holder(client, name) or {}).get("mark") == mark:
            client.delete_registered_model(name)


def _created(client: MlflowClient, name: str, tags: dict[str, str]) -> bool:
    try:
        client.create_registered_model(
            name, tags=tags, description="A promotion is under way; it is removed after it."
        )
    except MlflowException as error:
        if error.error_code == TAKEN:
            return False
        raise
    return True


def _holder(client: MlflowClient, name: str) -> dict[str, str] | None:
    """Tags of the lock, and `since` in seconds; None where it is free by now."""
    try:
        found = client.get_registered_model(name)
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return None
        raise
    return {**found.tags, "since": str(found.creation_timestamp / 1000)}


def _dead(holder: dict[str, str], host: str, now: float) -> bool:
    if now - float(holder["since"]) > STALE_SECONDS:
        return True
    if holder.get("host") != host:
        return False
    try:
        os.kill(int(holder["pid"]), 0)
    except ProcessLookupError:
        return True
    except (KeyError, ValueError, PermissionError):
        return False
    return False


def _break(client: MlflowClient, name: str, mark: str, seen: str | None) -> None:
    """Put a dead holder's lock aside, unless another process has taken it meanwhile: of several that rename one name
    the server lets one."""
    if (_holder(client, name) or {}).get("mark") != seen:
        return
    with suppress(MlflowException):
        client.rename_registered_model(name, f"{name}-{mark}")
        client.delete_registered_model(f"{name}-{mark}")
