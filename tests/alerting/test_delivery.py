"""Delivery to a real HTTP server that fails, hangs, breaks and repeats."""

import json
import os
import signal
import ssl
import subprocess
import sys
import time
from email.utils import formatdate
from pathlib import Path

import pytest

from lifestage.alerting import outbox
from lifestage.alerting.delivery import Outcome, Surroundings, deliver
from lifestage.alerting.webhooks import secrets_of
from lifestage.store import Store, open_store
from training.webhook import Poster

from .receiver import SECRET, Receiver, receiver
from .test_entries import publish

ROOT = Path(__file__).parents[2]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Ten alerts: six of day 2, four of day 3."""
    made = open_store(f"sqlite:///{(tmp_path / 'in' / 'store.db').as_posix()}")
    names = [f"客{i}" for i in range(10)]
    publish(made, 1, dict.fromkeys(names, ("new", "")))
    publish(made, 2, {c: ("at_risk" if i < 6 else "new", "") for i, c in enumerate(names)})
    publish(made, 3, dict.fromkeys(names, ("at_risk", "")))
    return made


def send(
    store: Store, server: Receiver, *, batch: int = 4, retries: int = 5, timeout: float = 0.4
) -> tuple[Outcome, list[float]]:
    """Bind and deliver; the outcome, and how long it would have slept."""
    slept: list[float] = []
    outbox.bind(store, "shop", "webhook", batch)
    world = Surroundings(Poster(server.url, timeout), time.time, slept.append, lambda: 0.0)
    return deliver(store, "shop", secrets_of(SECRET), retries, world), slept


def dead(store: Store) -> list[dict]:
    return [json.loads(line) for line in outbox.dead_letter_lines(store, "shop", "webhook")]


def test_every_alert_once_signed_and_in_order(store: Store) -> None:
    with receiver() as server:
        outcome, slept = send(store, server)
        assert outcome == Outcome(delivered=10, dead=0, waiting=0)
        assert slept == []
        assert [r["path"] for r in server.requests] == ["/hooks/tok-in-path?k=v"] * 3
        assert all(r["genuine"] for r in server.requests)
        # Four and two of day 2, four of day 3: a message holds alerts of one time of entry.
        assert [len(b["data"]["alerts"]) for b in server.accepted.values()] == [4, 2, 4]
        assert [b["timestamp"] for b in server.accepted.values()] == [
            *("1970-01-03T00:00:00Z", "1970-01-03T00:00:00Z", "1970-01-04T00:00:00Z")
        ]
        assert [a["customer_id"] for a in server.alerts] == [f"客{i}" for i in range(10)]
        first = server.alerts[0]
        assert first["labels"] == {"en": "At risk", "zh": "流失预警"}
        assert first["reasons"] == ["已96天未下单"]
        assert first["entered_at"] == "1970-01-03T00:00:00Z"
        assert (first["alert"], first["stage"], first["clv"]) == ("at_risk", "at_risk", 12.5)
        assert send(store, server)[0] == Outcome(0, 0, 0)  # nothing is sent twice
        assert len(server.requests) == 3
        publish(store, 4, {"客1": ("new", "")})
        assert send(store, server)[0] == Outcome(1, 0, 0)
        assert [a["alert"] for a in server.alerts][10:] == ["begins"]


@pytest.mark.parametrize(
    "step", [500, 503, 408, 409, 425, 429, "hang", "drip", "reset", "nonsense", "keep and break"]
)
def test_a_fault_that_passes_is_tried_again_with_the_same_message(store: Store, step: object) -> None:
    with receiver(step, step) as server:
        outcome, slept = send(store, server, batch=100)
        assert outcome == Outcome(10, 0, 0)
        assert slept == [1.0, 2.0]
        sent = server.requests
        assert len({r["id"] for r in sent[:3]}) == 1
        assert len({r["body"] for r in sent[:3]}) == 1
        assert all(r["genuine"] for r in sent)
        assert len(server.alerts) == 10
        assert server.repeated == (2 if step == "keep and break" else 0)
    assert dead(store) == []


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422, 301, 302, 307])
def test_what_will_not_change_is_a_dead_letter_at_once(store: Store, status: int) -> None:
    with receiver() as other, receiver((status, {"Location": other.url})) as server:
        outcome, slept = send(store, server)
        assert outcome == Outcome(delivered=6, dead=4, waiting=0)
        assert slept == []
        assert other.requests == []  # a redirect is not followed
        (letter,) = dead(store)
        assert f"HTTP {status}" in letter["reason"]
        assert ("redirects are not followed" in letter["reason"]) == (status < 400)
        assert letter["attempts"] == 1
        assert [a["customer_id"] for a in letter["alerts"]] == [f"客{i}" for i in range(4)]
        assert "tok-in-path" not in json.dumps(letter)
        assert outbox.reopen(store, "webhook") == 1
        assert send(store, server)[0] == Outcome(4, 0, 0)
        assert len(server.alerts) == 10
        assert server.requests[-1]["id"] == letter["message"]
    assert dead(store) == []
    assert outbox.reopen(store, "webhook") == 0


def test_attempts_that_are_used_up_and_nobody_there(store: Store) -> None:
    with receiver(*[500] * 3) as server:
        outcome, slept = send(store, server, batch=5, retries=2)
        assert outcome == Outcome(delivered=5, dead=5, waiting=0)
        assert slept == [1.0, 2.0]
        assert [letter["reason"] for letter in dead(store)] == ["127.0.0.1: HTTP 500"]
    outbox.reopen(store, "webhook")
    publish(store, 4, {f"客{i}": ("new", "") for i in range(10)})
    outcome, slept = send(store, server, batch=2, retries=1)  # nobody listens any more
    assert (outcome.delivered, outcome.dead, outcome.waiting) == (0, 9, 6)
    assert outcome.ended == (
        "3 messages in a row failed to the last attempt (127.0.0.1: the connection was refused)"
    )
    assert slept == [1.0, 1.0, 1.0]
    with receiver() as server:
        assert send(store, server)[0] == Outcome(6, 0, 0)
        outbox.reopen(store, "webhook")
        assert send(store, server)[0] == Outcome(9, 0, 0)
        assert len(server.alerts) == 15


def test_gone_for_good_ends_the_run(store: Store) -> None:
    with receiver(204, 410) as server:
        outcome, _ = send(store, server)
        assert (outcome.delivered, outcome.dead, outcome.waiting) == (4, 2, 4)
        assert "the receiver is gone for good (HTTP 410)" in outcome.ended
        assert len(server.requests) == 2


def test_retry_after_is_honoured(store: Store) -> None:
    at = {"Retry-After": formatdate(time.time() + 40, usegmt=True)}
    with receiver((503, {"Retry-After": "7"}), (429, {"Retry-After": "1"}), (429, at)) as server:
        outcome, slept = send(store, server, batch=100)
        assert outcome == Outcome(10, 0, 0)
        assert slept[:2] == [7.0, 2.0]  # never sooner than asked, nor than the growing wait
        assert 30 < slept[2] <= 40
    publish(store, 4, {"客1": ("new", "")})
    with receiver((503, {"Retry-After": "86400"})) as server:
        outcome, slept = send(store, server)
        assert outcome == Outcome(0, 0, 1, "the receiver asks to wait 86,400 seconds (127.0.0.1: HTTP 503)")
        assert slept == []
        assert send(store, server)[0] == Outcome(1, 0, 0)


def test_a_slow_answer_within_the_time_is_an_answer(store: Store) -> None:
    with receiver("slow") as server:
        assert send(store, server, batch=100, timeout=10)[0] == Outcome(10, 0, 0)
        assert len(server.requests) == 2  # one a time of entry


def test_a_certificate_that_nobody_signed_is_refused(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    try:
        subprocess.run(
            "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=localhost"
            f" -addext subjectAltName=DNS:localhost -keyout {key} -out {certificate}".split(),
            check=True,
            capture_output=True,
        )
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("needs the openssl command to make a certificate")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with receiver() as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        post = Poster(f"https://localhost:{server.server_port}/", 3)
        answer = post(b"{}", {})
        assert answer.status is None
        assert answer.problem.startswith("localhost: its certificate is not trusted")
        assert server.requests == []
        assert post.context is not None
        post.context.load_verify_locations(certificate)
        assert post(b"{}", {"webhook-id": "m", "webhook-timestamp": "1"}).status == 401  # trusted, unsigned


CONFIG = """
shop: shop
timezone: Asia/Shanghai
currency: CNY
sources: {transactions: {dataset: cdnow, columns: {customer_id: a, ordered_at: b, amount: c}}}
store: sqlite:///in/store.db
output_dir: out
alerts: {webhook: {url: "%s", timeout_seconds: 0.5, retries: 1, batch: 1}}
"""


def script(folder: Path, *args: str, secret: str | None = SECRET) -> "subprocess.Popen[str]":
    env = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'src'}"}
    env.pop("LIFESTAGE_WEBHOOK_SECRET", None)
    if secret is not None:
        env["LIFESTAGE_WEBHOOK_SECRET"] = secret
    return subprocess.Popen(
        [sys.executable, "-m", "training.alerts", "--config", "shop.yaml", *args],
        cwd=folder,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_killed_in_the_middle_nothing_is_lost(store: Store, tmp_path: Path) -> None:
    """Killed while the receiver works on the third message: it had it, the sender does not know."""
    with receiver(204, 204, "hang", 204, 204) as server:
        (tmp_path / "shop.yaml").write_text(CONFIG % server.url, encoding="utf-8")
        process = script(tmp_path)
        for _ in range(1_500):
            if len(server.requests) >= 3 or process.poll() is not None:
                break
            time.sleep(0.01)
        assert len(server.requests) == 3, process.communicate()
        process.send_signal(signal.SIGKILL)
        process.communicate()
        # Meanwhile there are new alerts; the message cut off must come again just as it was.
        publish(store, 4, {"客1": ("new", "")})
        again = script(tmp_path)
        out, err = again.communicate(timeout=60)
        assert again.returncode == 0, err
        assert "9 alerts delivered to the webhook" in out
        ids = [r["id"] for r in server.requests]
        assert ids[2] == ids[3]
        assert server.requests[2]["body"] == server.requests[3]["body"]
        assert len(set(ids)) == 11
        assert [a["customer_id"] for a in server.alerts] == [*(f"客{i}" for i in range(10)), "客1"]


def test_the_script_tells_what_is_undelivered_and_sends_it_again(store: Store, tmp_path: Path) -> None:
    assert store.path.exists()
    with receiver(400, 500, 500, "hang", "hang") as server:
        (tmp_path / "shop.yaml").write_text(CONFIG % server.url, encoding="utf-8")
        no_secret = script(tmp_path, secret=None)
        _, err = no_secret.communicate(timeout=60)
        assert (no_secret.returncode, err[:56]) == (
            2,
            "error: the environment variable LIFESTAGE_WEBHOOK_SECRET",
        )
        assert server.requests == []
        first = script(tmp_path)
        out, err = first.communicate(timeout=60)
        assert first.returncode == 1, err
        assert "7 alerts delivered to the webhook" in out
        assert "3 dead letters in out/alerts/dead_letters.jsonl" in out
        letters = (tmp_path / "out/alerts/dead_letters.jsonl").read_text(encoding="utf-8")
        reasons = [json.loads(line)["reason"] for line in letters.splitlines()]
        assert reasons == [
            *("127.0.0.1: HTTP 400", "127.0.0.1: HTTP 500", "127.0.0.1: no answer within 0.5 seconds")
        ]
        nothing = script(tmp_path)
        out_again, _ = nothing.communicate(timeout=60)
        assert nothing.returncode == 0
        assert "0 alerts delivered" in out_again
        assert "3 dead letters" in out_again
        last = script(tmp_path, "--redeliver")
        out_last, err = last.communicate(timeout=60)
        assert last.returncode == 0, err
        assert "3 dead letters opened again" in out_last
        assert "3 alerts delivered" in out_last
        assert (tmp_path / "out/alerts/dead_letters.jsonl").read_text(encoding="utf-8") == ""
        assert len(server.alerts) == 10
        for text in (out, err, letters, out_last):
            assert SECRET not in text
            assert SECRET.removeprefix("whsec_") not in text
            assert "tok-in-path" not in text
