"""The summary of the newest scoring run, for a marketer; --help tells what it shows."""

import argparse
import json
from typing import TYPE_CHECKING

from training.command import main, parser, say, shown

if TYPE_CHECKING:
    from lifestage.settings import Shop

DESCRIPTION = """Print the newest scoring run: customers, value and churn risk per stage, the most valuable customers at
risk and why, who is about to change stage, how far the model beats the plain rule, and the flow between stages over
the months staged so far."""


def report(shop: "Shop") -> None:
    """Print the summary of the run that the store serves."""
    from pathlib import Path

    import pyarrow as pa

    from lifestage import summary
    from lifestage.churn.model import load_spec
    from lifestage.errors import InputError
    from lifestage.fitting import definition_of
    from lifestage.lifecycle.policy import parse_text
    from lifestage.runs import Run
    from lifestage.store import open_store

    store = open_store(shop.store_url)
    current = store.current()
    if current is None:
        raise InputError(f"{shop.store_url}: holds no scores yet; run python -m training.score first")
    run = Run(current["run"], current["as_of"], shop.output / "runs" / current["run"], current["customers"])
    folder: Path = shop.releases / current["release"]
    policy = parse_text(
        (folder / "policy.yaml").read_text(encoding="utf-8"), "policy.yaml", load_spec(folder / "churn")
    )
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    scores = pa.Table.from_batches(
        run.batches(summary.COUNTED)
    )  # ten million whole rows would fill the memory
    say(
        f"{shop.shop}: {len(scores):,} customers as of {shown(run.as_of, shop.timezone)}, release {folder.name}"
    )
    say()
    value = "no value: no transactions"
    if shop.sources.transactions is not None:
        value = f"value: discounted, next {shop.clv.horizon_days} days"
    say(f"Customers, value and churn risk by stage ({value}; churn: {definition_of(shop).short()})")
    say(summary.stages_text(scores, policy, shop.currency))
    say()
    least = "customers most at risk"
    if shop.sources.transactions is not None:
        staged = any(stage.role == "at_risk" for stage in policy.stages)
        least = f"most valuable customers {'at risk' if staged else 'of high risk'}"
    say(f"The ten {least}, and why")
    named = summary.most_valuable_of(run.batches(summary.NAMED), policy)
    say(summary.at_risk_text(named, policy, shop.currency, shop.timezone))
    say()
    say("About to become, if nothing happens (training.export --where \"next_stage = '...'\" lists them)")
    say(summary.about_to_text(scores, policy, run.as_of, shop.currency))
    say()
    say("What the model adds to the plain rules")
    say(summary.grade_text(manifest["metrics"][f"{shop.shop}-churn"]))
    say()
    say("Flow between stages: customers in each on the dates staged so far")
    flow = store.flow()
    say(summary.flow_text(flow, policy, shop.timezone))
    say(summary.moves_text(flow))


def run(args: argparse.Namespace) -> None:
    from lifestage import settings

    report(settings.load(args.config))


if __name__ == "__main__":
    main(parser("report", DESCRIPTION, as_of=False), run)
