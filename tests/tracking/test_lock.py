"""The lock on the tracking server: one holder, and the dead do not hold it."""

import os
import socket
from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_ALREADY_EXISTS, RESOURCE_DOES_NOT_EXIST

from lifestage.errors import InputError
from lifestage.tracking.lock import STALE_SECONDS, lock


class Server:
    """Names of registered models, unique as in MLflow's stores."""

    def __init__(self) -> None:
        self.models: dict[str, Any] = {}
        self.now = 1_000_000.0

    def create_registered_model(self, name: str, tags: dict[str, str], description: str) -> None:  # noqa: ARG002
        if name in self.models:
            raise MlflowException("taken", RESOURCE_ALREADY_EXISTS)
        self.models[name] = SimpleNamespace(tags=tags, creation_timestamp=self.now * 1000)

    def get_registered_model(self, name: str) -> Any:
        if name not in self.models:
            raise MlflowException("none", RESOURCE_DOES_NOT_EXIST)
        return self.models[name]

    def rename_registered_model(self, name: str, new: str) -> None:
        self.models[new] = self.models.pop(name)

    def delete_registered_model(self, name: str) -> None:
        del self.models[name]

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def held(server: Server, patience: float = 5.0) -> Any:
    return lock(server, "shop-promoting", lambda: server.now, server.sleep, patience)  # type: ignore[arg-type]


def left_by(server: Server, host: str, pid: int) -> None:
    server.create_registered_model("shop-promoting", {"host": host, "pid": str(pid), "mark": "theirs"}, "")


def test_it_is_there_while_held_and_gone_after_whatever_happens() -> None:
    server = Server()
    with held(server):
        assert list(server.models) == ["shop-promoting"]
    assert not server.models
    with pytest.raises(RuntimeError, match="oops"), held(server):
        raise RuntimeError("oops")
    assert not server.models


def test_a_living_holder_is_waited_for_and_named() -> None:
    server = Server()
    left_by(server, "elsewhere", 12)
    with pytest.raises(InputError, match="process 12 on elsewhere is promoting at this moment"), held(server):
        pass
    assert server.models["shop-promoting"].tags["mark"] == "theirs"


def test_it_is_taken_as_soon_as_it_is_free() -> None:
    server = Server()
    left_by(server, "elsewhere", 12)
    naps = count()

    def sleep(seconds: float) -> None:
        server.now += seconds
        if next(naps) == 3:
            server.delete_registered_model("shop-promoting")

    server.sleep = sleep  # type: ignore[method-assign]
    with held(server):
        assert server.models["shop-promoting"].tags["pid"] == str(os.getpid())


def test_a_dead_process_of_this_machine_holds_nothing() -> None:
    server = Server()
    child = os.fork()
    if not child:
        os._exit(0)
    os.waitpid(child, 0)
    left_by(server, socket.gethostname(), child)
    begun = server.now
    with held(server):
        assert server.now == begun  # at once
    assert not server.models


def test_a_process_of_this_machine_that_lives_holds_it() -> None:
    server = Server()
    left_by(server, socket.gethostname(), os.getppid())
    with pytest.raises(InputError, match="is promoting at this moment"), held(server):
        pass


def test_a_holder_of_long_ago_is_dead() -> None:
    server = Server()
    left_by(server, "elsewhere", 12)
    server.now += STALE_SECONDS + 1
    with held(server):
        assert server.models["shop-promoting"].tags["mark"] != "theirs"
    assert not server.models


def test_a_lock_that_was_taken_over_is_left_to_its_new_holder() -> None:
    server = Server()
    with held(server):
        server.models["shop-promoting"].tags = {"mark": "another", "host": "x", "pid": "1"}
    assert "shop-promoting" in server.models
