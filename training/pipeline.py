"""The whole path: check, train CLV and churn, promote, score, report."""

import argparse
from collections.abc import Callable
from contextlib import ExitStack

from training.command import accepting, main, parser, say

DESCRIPTION = """Check the data, train both models, promote them into a release, score and stage every customer,
print the summary and write the lifecycle report. Each step is a script of its own (python -m training.<step>)."""


def run(args: argparse.Namespace) -> None:
    from lifestage import settings
    from lifestage.localtime import midnight
    from lifestage.tracking import Tracker
    from training.beside import beside, worthwhile
    from training.check import check
    from training.lifecycle import MONTH_DAYS, lifecycle
    from training.prepare import history
    from training.promote import promote, refuse_older
    from training.report import report
    from training.score import score
    from training.train_churn import train as train_churn
    from training.train_clv import train as train_clv

    shop = settings.load(args.config)
    if args.as_of is not None and not args.replace_newer:  # before an hour of training
        refuse_older(shop, midnight(args.as_of, shop.timezone))
    accept = args.accept_unready

    waiting = ExitStack()  # for what runs beside the churn model

    def first() -> None:
        """The models do not know each other: of a large shop they are trained at once."""
        if worthwhile(history(shop, args.as_of)):
            Tracker(shop.tracking_uri).prepare(shop.shop)
            waiting.enter_context(beside(train_clv, shop.output, shop, args.as_of, accept))
            say(
                "a large shop: in a process of its own, beside the churn model; what it says follows that one's"
            )
        else:
            train_clv(shop, args.as_of, accept)

    def second() -> None:
        with waiting:
            train_churn(shop, args.as_of, accept)

    steps: dict[str, Callable[[], object]] = {
        "check the data": lambda: check(shop, args.as_of, stop=not accept),
        "train the CLV model": first,
        "train the churn model": second,
        "promote into a release": lambda: promote(
            shop, args.as_of, "challenger", "challenger", replace_newer=args.replace_newer
        ),
        "score and stage": lambda: score(shop, args.as_of, shop.scoring.flow_months),
        "report": lambda: report(shop),
        "lifecycle report": lambda: lifecycle(shop, None, MONTH_DAYS, None),
    }
    if shop.sources.transactions is None:  # nothing to learn an order's value from
        del steps["train the CLV model"]
    with waiting:
        for number, (title, step) in enumerate(steps.items(), 1):
            say(f"\n[{number}/{len(steps)}] {title}")
            step()


if __name__ == "__main__":
    made = accepting(parser("pipeline", DESCRIPTION))
    made.add_argument(
        "--replace-newer", action="store_true", help="promote even if the current release is newer"
    )
    main(made, run)
