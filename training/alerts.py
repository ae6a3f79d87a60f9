"""Deliver alerts: to a webhook, or as files; --help tells how."""

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from training.command import main, parser, say
from training.exclusive import hold

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from lifestage.settings import Shop
    from lifestage.store import Store

DESCRIPTION = """Deliver what the policy's `alerts` have found: customers who have entered a stage or a risk level since
the scoring run before. Each destination gets each alert; what it has had is not sent again, so run this after
every training.score.

  --to webhook   HTTP POST of JSON to alerts.webhook.url of the config, signed as Standard Webhooks has it with the
                 secret in the environment variable LIFESTAGE_WEBHOOK_SECRET; tried again with growing waits. What is
                 refused or never answered goes to dead_letters.jsonl in the alerts folder; --redeliver sends it again.
  --to csv       a file of the new alerts in the alerts folder, for a spreadsheet
  --to parquet   the same for programs

A delivery that was cut off is repeated under the same id (header webhook-id, and "id" of each alert): receivers
leave out what they have had. The exit code is 1 where something could not be delivered."""
DESTINATIONS = ("webhook", "csv", "parquet")
UNDELIVERED = 1


def alerts(shop: "Shop", to: str | None, out: Path | None, redeliver: bool) -> bool:
    """Deliver to one destination; whether nothing is left undelivered."""
    from lifestage.errors import InputError
    from lifestage.store import open_store

    to = to or ("webhook" if shop.alerts.webhook is not None else "csv")
    store = open_store(shop.store_url)
    if store.current() is None:
        raise InputError(f"{shop.store_url}: holds no scores yet; run python -m training.score first")
    folder = out or shop.alerts_folder
    hold(
        shop.alerts_folder, mode=0o777
    )  # others fetch the files; two deliveries at once would send everything twice
    if to == "webhook":
        return _webhook(shop, store, folder, redeliver)
    if redeliver:
        raise InputError("--redeliver: is for --to webhook; files have no dead letters")
    return _files(shop, store, folder, to)


def _webhook(shop: "Shop", store: "Store", folder: Path, redeliver: bool) -> bool:
    import random
    import time

    from lifestage.alerting import delivery, outbox, webhooks
    from lifestage.errors import InputError
    from training.webhook import Poster
    from training.whole_file import write_text

    settings = shop.alerts.webhook
    if settings is None:
        raise InputError(
            "alerts.webhook: is missing in the config; add alerts: {webhook: {url: https://...}}, or use --to csv"
        )
    keys = webhooks.secrets_of(os.environ.get(webhooks.SECRET))
    outbox.bind(store, shop.shop, delivery.DESTINATION, settings.batch)
    if redeliver:
        say(f"{outbox.reopen(store, delivery.DESTINATION):,} dead letters opened again")
    world = delivery.Surroundings(
        Poster(settings.url, settings.timeout_seconds), time.time, time.sleep, random.random
    )
    letters = folder / "dead_letters.jsonl"
    try:
        done = delivery.deliver(store, shop.shop, keys, settings.retries, world)
    finally:
        # The store knows the dead letters; the file is written anew from it, so the two cannot disagree for long.
        lines = [f"{line}\n" for line in outbox.dead_letter_lines(store, shop.shop, delivery.DESTINATION)]
        if lines or letters.exists():
            folder.mkdir(parents=True, exist_ok=True)
            write_text(letters, lines, option="--out")
    say(f"{shop.shop}: {done.delivered:,} alerts delivered to the webhook")
    if done.dead:
        say(f"{done.dead:,} alerts could not be delivered")
    if lines:
        say(
            f"{len(lines):,} dead letters in {letters}, each with its reason; python -m training.alerts --redeliver"
            " sends them again"
        )
    if done.ended:
        say(f"ended: {done.ended}; {done.waiting:,} alerts wait for the next run")
    return not done.dead and not done.waiting


def _files(shop: "Shop", store: "Store", folder: Path, to: str) -> bool:
    import time

    import pyarrow.parquet as pq

    from lifestage.alerting import outbox
    from training.command import shown
    from training.whole_file import write_file, write_text

    outbox.bind(store, shop.shop, to, None)
    waiting = outbox.messages(store, to, "open")
    for message in waiting:
        table = outbox.alerts_of(store, shop.shop, to, message.id)
        day = shown(message.entered_at, shop.timezone)[:10]
        # By the message's id: whoever was cut off here writes the same file again.
        path = folder / f"alerts-{day}-{message.id[4:12]}.{to}"
        folder.mkdir(parents=True, exist_ok=True)
        if to == "csv":
            write_text(path, _csv(table, shop.timezone), option="--out", encoding="utf-8-sig")
        else:
            write_file(path, lambda file, table=table: pq.write_table(table, file), option="--out")
        outbox.settle(store, to, message.id, "delivered", attempts=1, reason=None, at=time.time_ns() // 1_000)
        say(f"{shop.shop}: {len(table):,} alerts written to {path}")
    if not waiting:
        say(f"{shop.shop}: no new alerts since the last file")
    return True


def _csv(table: "pa.Table", zone: str) -> "Iterator[str]":
    from zoneinfo import ZoneInfo

    from lifestage.lists.spreadsheet import csv_pieces, day_cell, text_cell

    local = ZoneInfo(zone)
    digits = {"clv": 2, "churn_probability": 4}

    def cell(name: str, value: object) -> str:
        if value is None:
            return ""
        if name == "entered_at":
            return day_cell(value, local)
        if isinstance(value, float):
            return f"{value:.{digits[name]}f}"
        return text_cell("; ".join(value) if isinstance(value, list) else str(value))

    rows = (
        [cell(name, value) for name, value in row.items()]
        for batch in table.to_batches(max_chunksize=10_000)
        for row in batch.to_pylist()
    )
    return csv_pieces(table.schema.names, rows)


def run(args: argparse.Namespace) -> None:
    from lifestage import settings

    if not alerts(settings.load(args.config), args.to, args.out, args.redeliver):
        raise SystemExit(UNDELIVERED)


if __name__ == "__main__":
    made = parser("alerts", DESCRIPTION, as_of=False)
    made.add_argument(
        "--to",
        choices=DESTINATIONS,
        help="default: the webhook where the config has one, else a csv file",
    )
    made.add_argument(
        "--out",
        type=Path,
        metavar="FOLDER",
        help="folder of files and dead letters (default: alerts.folder of the config, else alerts in the shop's "
        "output folder)",
    )
    made.add_argument("--redeliver", action="store_true", help="send the dead letters again, too")
    main(made, run)
