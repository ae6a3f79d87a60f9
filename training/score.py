"""Score and stage every customer with the current release; the store then serves the new run."""

import argparse
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from training.command import bar, main, parser, say, shown
from training.prepare import history

if TYPE_CHECKING:
    from lifestage.runs import Run
    from lifestage.settings import Shop

DESCRIPTION = """Score and stage every customer known before as_of: one folder of Parquet a run, and the score store
replaced in one step. With --flow-months N the N month beginnings before as_of are staged first, with the same
release, so that the flow between stages can be seen (they go to the stage history only)."""


FLOW = "flow"
"""Name of a run that stages a past day with today's release: hindsight, which never takes the place of the run that
was made on that day."""
QUIET_DAYS = 3
"""Days between the newest row and as_of from which on a word of warning is due."""


def month_starts(first: int, as_of: int, months: int, zone: str) -> list[int]:
    """The last `months` local month beginnings in (first, as_of), ascending."""
    from lifestage.localtime import day_of, midnight

    starts: list[int] = []
    day = day_of(as_of - 1, zone).replace(day=1)
    while len(starts) < months and midnight(day, zone) > first:
        starts.append(midnight(day, zone))
        day = (day - timedelta(days=1)).replace(day=1)
    return starts[::-1]


def score(shop: "Shop", as_of: date | None, flow_months: int) -> "Run":
    """Run and publish; returns the run of as_of."""
    from lifestage import release
    from lifestage.localtime import DAY
    from lifestage.runs import score_run
    from lifestage.store import open_store

    folder: Path = release.current(shop.releases)
    file = history(shop, as_of)
    instant = file.facts["as_of"]
    past = month_starts(file.facts["first_row"], instant, flow_months, file.zone)
    store = open_store(shop.store_url)
    rules = release.load(folder).policy.alerts
    alerts = 0
    with bar("scoring and staging", file.customers * (len(past) + 1)) as progress:
        for moment in [*past, instant]:
            made = score_run(
                file,
                folder,
                shop.output / "runs",
                f"{'as-of' if moment == instant else FLOW}-{shown(moment, file.zone)[:10]}",
                moment,
                store=shop.store_url,
                looks=shop.scoring.look_ahead_days if moment == instant else (),
                progress=progress,
            )
            if made.customers or moment == instant:  # nobody may be known yet on a past day
                alerts += store.publish(
                    made.name.replace(FLOW, "as-of"),
                    moment,
                    made.parts,
                    current=moment == instant,
                    alerts=rules,
                )
    say(
        f"{made.customers:,} customers scored as of {shown(instant, file.zone)} with release {folder.name}"
        f" -> {made.folder}"
    )
    silent = (instant - file.facts["observed_until"]) // DAY - 1
    if silent > QUIET_DAYS:
        say(
            f"as_of lies {silent} days after the newest row: everybody looks silent for so long, and stages and alerts "
            "say so; bring newer data, or leave --as-of out"
        )
    if rules:
        say(f"{alerts:,} new alerts; python -m training.alerts delivers them")
    return made


def run(args: argparse.Namespace) -> None:
    from lifestage import settings

    score(settings.load(args.config), args.as_of, args.flow_months)


if __name__ == "__main__":
    made = parser("score", DESCRIPTION)
    made.add_argument(
        "--flow-months", type=int, default=0, metavar="N", help="past months to stage too (default: 0)"
    )
    main(made, run)
