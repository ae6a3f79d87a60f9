"""Write a simulated shop whose truth is known."""

import argparse
from collections.abc import Callable

from training.command import bar, main, runnable, say

DESCRIPTION = """Write the tables of a simulated shop (transactions, events, customers, feedback: Parquet) and
its truth beside them: each customer's order rate, chance to leave, departure and expected future orders
(truth_customers.parquet) and the parameters of its world (truth_parameters.json). The same seed gives the
same bytes. DIR must be new, empty, or hold an earlier simulation, which is replaced."""
EXAMPLE = """example:
  python -m training.simulate --customers 20000 --seed 7 --out data/shop
  python -m training.pipeline --config configs/shop.yaml"""


def arguments() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog=runnable("python -m training.simulate"),
        description=DESCRIPTION,
        epilog=runnable(EXAMPLE),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    whole = _whole(1, 50_000_000), _whole(0, 2**63 - 1), _whole(30, 3650)
    made.add_argument("--customers", type=whole[0], required=True, metavar="N", help="how many sign up")
    made.add_argument("--seed", type=whole[1], default=7, metavar="S", help="default: 7")
    made.add_argument("--out", required=True, metavar="DIR", help="folder, e.g. data/shop")
    made.add_argument("--days", type=whole[2], default=1096, metavar="D", help="days (default: 1096)")
    made.add_argument(
        "--shift-after",
        type=whole[2],
        metavar="D",
        help="days after which everybody orders less often, leaves sooner and spends less (default: never)",
    )
    return made


def _whole(low: int, high: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = low - 1
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"'{text}': give a whole number from {low:,} to {high:,}")
        return value

    return read


def run(args: argparse.Namespace) -> None:
    from pathlib import Path

    from lifestage.datasets.simulated import Shift, World
    from lifestage.datasets.simulated_files import simulate
    from lifestage.errors import InputError

    if args.shift_after is not None and args.shift_after >= args.days:
        raise InputError(
            f"--shift-after {args.shift_after}: lies outside the {args.days} days of the shop; give fewer"
        )
    world = World(days=args.days, shift=None if args.shift_after is None else Shift(args.shift_after))

    with bar("simulating", args.customers) as progress:
        rows = simulate(Path(args.out), args.customers, args.seed, world, progress)
    for table, count in rows.items():
        say(f"  {table:<16} {count:>12,} rows")
    say(f"written to {args.out}")


if __name__ == "__main__":
    main(arguments(), run)
