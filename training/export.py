"""A list of customers for people; --help tells what it writes."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from training.command import bar, main, parser, say, shown, whole
from training.exclusive import hold

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

    from lifestage.lifecycle.policy import Policy
    from lifestage.lists.export import Condition
    from lifestage.release import Release
    from lifestage.runs import Run
    from lifestage.settings import Shop

DESCRIPTION = """Write the customers of the newest scoring run for whom a condition is true to a CSV file that a
spreadsheet opens right, those with most at stake first.

  python -m training.export --config configs/shop.yaml --where "stage = 'at_risk' AND tier IN ('gold', 'platinum')"
      --top 500

The condition is written as in a policy. It reads every column of the scores (README, "What the numbers mean"),
value_at_stake, signal_<name>, and the features that 'training.policy columns' lists: "signal_lapsed AND clv > 100",
"days_since_last_order > 60", "next_order_at < DATE '2026-01-01'" (days are the shop's local ones). What is at stake is
worth if they stay minus worth if they leave, as in training.contact; who never bought has none and comes after the
others. Where nobody matches, nothing is written.

Headers, stages, tiers and actions are in the words of the policy. Ids that a spreadsheet would change (18 digits,
leading zeros) have a tab at their end, which keeps them text; no cell runs as a formula."""


def export(
    shop: "Shop",
    where: str | None,
    top: int | None = None,
    *,
    columns: tuple[str, ...] = (),
    language: str | None = None,
    out: Path | None = None,
) -> Path | None:
    """Write the list; returns the file, or None for nobody, where an earlier list is left as it is."""
    import numpy as np

    from lifestage import release as releases
    from lifestage.errors import InputError
    from lifestage.lists import export as lists
    from lifestage.lists.spreadsheet import csv_pieces
    from lifestage.lists.wording import Wording, list_rows, titles
    from lifestage.runs import Run
    from lifestage.store import open_store
    from training.whole_file import write_text

    hold(shop.output)  # history, run and store must be of one time
    current = open_store(shop.store_url).current()
    if current is None:
        raise InputError(f"{shop.store_url}: holds no scores yet; run python -m training.score first")
    run = Run(current["run"], current["as_of"], shop.output / "runs" / current["run"], current["customers"])
    if not run.parts:
        raise InputError(f"{run.folder}: the newest run's files are gone; run python -m training.score again")
    release = releases.load(shop.releases / current["release"])
    policy = release.policy
    condition = None if where is None else _checked(where, policy)
    names = lists.chosen_columns(columns, policy)
    wanted = lists.stored(
        ["customer_id", *(condition.reads - condition.features.keys() if condition else ())]
    )
    _held(run, [*lists.stored(names), *wanted])
    scores = _read(run, ["customer_id", "clv", "churn_probability"])
    stake = _at_stake(shop, run, release, scores)
    features = _features(shop, run, release, scores, condition.features) if condition else None
    hits, start = [], 0
    for batch in _batches(run, wanted):
        hit = np.ones(len(batch), bool)
        if condition is not None:
            own = None if features is None else features.slice(start, len(batch))
            hit = lists.matches(condition, batch, stake[start : start + len(batch)], shop.timezone, own)
        hits.append(start + np.flatnonzero(hit))
        start += len(batch)
    found = np.concatenate(hits)
    path = out or shop.output / "export.csv"
    if not len(found):
        left = "; the earlier list there is left as it is" if path.exists() else ""
        say(f"no customer of {len(scores):,} matches; {path} is not written{left}")
        return None
    rows = lists.best_first(found, stake, scores, top)
    table = _taken(run, lists.stored(names), rows)
    words = language or policy.language
    header = titles(names, policy, words, shop.currency)
    cells = list_rows(table, stake[rows], names, Wording(policy, words, shop.timezone))
    write_text(path, csv_pieces(header, cells), option="--out", encoding="utf-8-sig")
    say(f"{shop.shop}: as of {shown(run.as_of, shop.timezone)}, release {current['release']}")
    some = f", of them the {len(rows):,} with most at stake" if len(rows) < len(found) else ""
    say(f"{len(found):,} of {len(scores):,} customers match{some}")
    _say_stake(stake[rows], shop.currency)
    say(f"{len(rows):,} rows written to {path}")
    return path


def _checked(where: str, policy: "Policy") -> "Condition":
    """The condition; an unknown column is told without the names of all that there are."""
    from lifestage.errors import InputError
    from lifestage.lifecycle.checking.hints import explained
    from lifestage.lists.export import checked

    try:
        return checked(where, policy)
    except InputError as error:
        raise InputError(explained(str(error), where)) from None


def _say_stake(stake, currency: str) -> None:
    """What is at stake with the customers of the list."""
    import numpy as np

    known = stake[~np.isnan(stake)]
    if len(known):
        say(f"at stake with them: {known.sum():,.0f} {currency}")
    if len(known) < len(stake):
        say(f"{len(stake) - len(known):,} without a value at stake stand after the others")


def _at_stake(shop: "Shop", run: "Run", release: "Release", scores):
    """One value per scored customer, NaN where unknown; the one of `profit` where that gives one for all."""
    import numpy as np

    from lifestage.history_file import HistoryFile
    from lifestage.scoring import definition_of
    from lifestage.stakes import current_values

    if shop.profit is not None and shop.profit.value != "clv":
        return np.where(scores["churn_probability"].is_valid(), float(shop.profit.value), np.nan)
    if release.clv is None:
        return np.full(len(scores), np.nan)
    file = HistoryFile(shop.output / "history.parquet")
    rule = definition_of(release.churn)
    with bar("value at stake", file.customers) as progress:
        return current_values(file, scores, run.as_of, release.clv, definition=rule, progress=progress)


def _features(shop: "Shop", run: "Run", release: "Release", scores, types: "Mapping[str, pa.DataType]"):
    """A table of these features, a row per row of `scores`, worked out from the history; None for none of them.

    Raises InputError where the history is no longer that of the scores.
    """
    from lifestage.errors import InputError
    from lifestage.history_file import HistoryFile
    from lifestage.policies.shop_columns import own_columns

    if not types:
        return None
    file = HistoryFile(shop.output / "history.parquet")
    with bar("features", file.customers) as progress:
        found = own_columns(file, release, run.as_of, types, progress=progress)
    if not found["customer_id"].equals(scores["customer_id"]):
        raise InputError(
            f"{file.path}: is no longer the history that the newest scores were made from; run python -m training.score"
        )
    return found


def _held(run: "Run", columns: list[str]) -> None:
    """Raises InputError where a run of an earlier version lacks a column."""
    import pyarrow.parquet as pq

    from lifestage.errors import InputError

    missing = [name for name in columns if name not in pq.read_schema(run.parts[0]).names]
    if missing:
        raise InputError(
            f"{run.folder}: has no column '{missing[0]}' (an earlier version made it); run python -m training.score"
        )


def _batches(run: "Run", columns: list[str]):
    """Record batches of some columns of a run, in its order."""
    import pyarrow.parquet as pq

    for part in run.parts:
        with pq.ParquetFile(part) as file:
            yield from file.iter_batches(columns=columns)


def _read(run: "Run", columns: list[str]):
    import pyarrow as pa

    return pa.Table.from_batches(_batches(run, columns)).select(columns)


def _taken(run: "Run", columns: list[str], rows):
    """The rows of a run of these numbers, in their order; one batch is held at a time beside them."""
    import numpy as np
    import pyarrow as pa

    ascending = np.sort(rows)
    kept, start = [], 0
    for batch in _batches(run, columns):
        low, high = np.searchsorted(ascending, [start, start + len(batch)])
        kept.append(batch.take(pa.array(ascending[low:high] - start)))
        start += len(batch)
    return pa.Table.from_batches(kept).take(pa.array(np.searchsorted(ascending, rows)))


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def run(args: argparse.Namespace) -> None:
    from lifestage import settings

    export(
        settings.load(args.config),
        args.where,
        args.top,
        columns=args.columns,
        language=args.language,
        out=args.out,
    )


if __name__ == "__main__":
    made = parser("export", DESCRIPTION, as_of=False)
    made.add_argument("--where", metavar="CONDITION", help="for whom (default: everybody)")
    made.add_argument("--top", type=whole("customers"), metavar="N", help="the N with most at stake only")
    made.add_argument(
        "--columns",
        type=_names,
        default=(),
        metavar="A,B,...",
        help="columns of the list, e.g. customer_id,stage,clv,signals",
    )
    made.add_argument(
        "--language",
        choices=("en", "zh"),
        help="of headers and labels (default: the policy's own language)",
    )
    made.add_argument(
        "--out", type=Path, metavar="FILE", help="default: export.csv in the shop's output folder"
    )
    main(made, run)
