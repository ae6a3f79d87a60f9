"""Check the release, say how to call it, serve until Ctrl-C. Nothing heavy before `--help` is answered."""

import argparse
import os
import socket
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from serving.state import State

DESCRIPTION = """Serve the current release of a shop: scores from raw histories (POST /v1/score), stored scores
(GET /v1/customers/ID), stages of given scores (POST /v1/stage), the OpenAPI page at /. Ends at Ctrl-C."""
BAD_INPUT = 2


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m serving", description=DESCRIPTION)
    made.add_argument(
        "--config", required=True, metavar="FILE", help="the shop's YAML, e.g. configs/cdnow.yaml"
    )
    made.add_argument(
        "--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1, this machine)"
    )
    made.add_argument("--port", type=_port, default=3000, help="port to listen on (default: 3000)")
    made.add_argument(
        "--workers", type=_workers, default=1, help="processes, each with the release (default: 1)"
    )
    return made


def _port(text: str) -> int:
    if text.isdigit() and 1 <= int(text) <= 65_535:
        return int(text)
    raise argparse.ArgumentTypeError(f"'{text}' is no port; give a number from 1 to 65535")


def _workers(text: str) -> int:
    if text.isdigit() and 1 <= int(text) <= 64:
        return int(text)
    raise argparse.ArgumentTypeError(f"'{text}' is no number of processes; give 1 to 64")


def check_address(host: str, port: int) -> None:
    """Raises InputError where nothing can listen there."""
    from lifestage.errors import InputError

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise InputError(
                f"cannot listen on {host}:{port} ({reason}); choose another --port, or a --host of this machine"
            ) from None


def examples(state: "State", address: str, *, shown: bool) -> str:
    """Lines to paste: a look-up of a stored customer, and a score of a history.

    `shown`: a person reads them. Else the output is a log, and no place for a customer's id.
    """
    import json
    from datetime import timedelta
    from urllib.parse import quote

    from lifestage.errors import InputError
    from lifestage.localtime import day_of
    from serving import access
    from serving.customers import example
    from serving.keyfile import path_of

    asked = access.key_asked(state.shop)
    key = ' -H "authorization: Bearer $KEY"' if asked else ""
    try:
        known = example(state.store)
        # The store knows hashes alone, where callers give their own ids.
        named = shown and not asked and not state.shop.privacy.hash_ids
        look_up = f"curl -s{key} {address}/v1/customers/{quote(known, safe='') if named else 'CUSTOMER_ID'}"
    except InputError as error:
        look_up = f"(nothing to look up: {error})"
    day = day_of(state.release.manifest["as_of"], state.release.timezone)
    bought = [{"ordered_at": str(day - timedelta(days=ago)), "amount": 25.0} for ago in (200, 110, 30)]
    body = {"as_of": str(day), "customers": [{"customer_id": "C-17", "purchases": bought}]}
    post = f"curl -s{key} {address}/v1/score -H 'content-type: application/json' -d '{json.dumps(body)}'"
    who = f" Callers need an API key of {path_of(state.shop)}, here $KEY." if asked else ""
    return f"Serving release {state.release.name} at {address} until Ctrl-C.{who} Try:\n\n{look_up}\n{post}\n"


def nothing_stored(state: "State") -> str:
    """A warning where no scores are stored, or the store is away; empty where there are some."""
    from lifestage.errors import InputError

    try:
        if state.store.current() is not None:
            return ""
    except InputError as error:
        return f"warning: {error}; look-ups answer 503 until then"
    return (
        f"warning: no scores stored yet at {state.store.name}; look-ups answer 503 until 'python -m training.score' "
        "has run: is 'store' right?"
    )


def announce(address: str, text: str) -> None:
    """Print `text` as soon as the service is ready."""
    while True:
        try:
            with urllib.request.urlopen(f"{address}/readyz", timeout=2):
                break
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    print(text, flush=True)


def serve(state: "State", config: Path, host: str, port: int, workers: int) -> None:
    """Run the BentoML server until it is told to end."""
    from serving.shop import CONFIG

    os.environ[CONFIG] = str(config.resolve())
    os.environ["BENTOML_DO_NOT_TRACK"] = "True"
    # BentoML keeps its metrics files here: away from the home folder, apart from servers on other ports.
    os.environ.setdefault("BENTOML_HOME", str((state.shop.output / f"serving-{port}").resolve()))
    shown = "127.0.0.1" if host == "0.0.0.0" else f"[{host}]" if ":" in host else host
    address = f"http://{shown}:{port}"
    text = examples(state, address, shown=sys.stdout.isatty())
    threading.Thread(target=announce, args=(address, text), daemon=True).start()

    from serving.service import Lifestage

    Lifestage.config["workers"] = workers
    Lifestage.serve_http(host=host, port=port)


def main() -> None:
    """Exit code 0 after Ctrl-C or SIGTERM, 2 and one sentence where it cannot start."""
    args = parser().parse_args()
    from lifestage import settings
    from lifestage.errors import InputError
    from serving import access

    try:
        mode = access.launched_on(args.host)
        access.check(settings.load(args.config), mode, args.config)
        from serving.state import load
        from serving.warmup import check

        state = load(args.config)
        check(state)  # a release that cannot score is refused here, not by a worker again and again
        check_address(args.host, args.port)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(BAD_INPUT) from None
    if mode == access.OPEN and not access.is_loopback(args.host):
        print(
            f"warning: {args.host} is open to other machines, and {access.ACCESS}={access.OPEN}: nobody is asked for "
            "a key",
            flush=True,
        )
    if warning := nothing_stored(state):
        print(warning, flush=True)
    os.environ[access.ACCESS] = mode
    try:
        serve(state, Path(args.config), args.host, args.port, args.workers)
    except KeyboardInterrupt:
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()
