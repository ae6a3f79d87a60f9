import json
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import lifetimes
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from lifestage import settings
from lifestage.datasets import simulated_files
from lifestage.datasets.simulated import Level, Shift, World, expected_orders, live, plain
from lifestage.datasets.simulated_files import FILES, simulate
from lifestage.errors import InputError

ROOT = Path(__file__).parents[2]
DAY = pd.Timedelta(days=1)
FULL = World()
PLAIN = plain(FULL)


def frames(folder: Path) -> dict[str, pd.DataFrame]:
    return {path.stem: pd.read_parquet(path) for path in folder.glob("*.parquet")}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pd.DataFrame]:
    """Every factor at work."""
    out = tmp_path_factory.mktemp("full") / "shop"
    simulate(out, 30_000, 11, FULL)
    return frames(out)


@pytest.fixture(scope="module")
def even(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pd.DataFrame]:
    """One BG/NBD and Gamma-Gamma world for all customers."""
    out = tmp_path_factory.mktemp("plain") / "shop"
    simulate(out, 20_000, 5, PLAIN)
    return frames(out)


def lives_of(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """One row per customer with an order: x, t_x and T in days, beside the truth."""
    bought = tables["transactions"].query("amount > 0").groupby("customer_id")["ordered_at"]
    lives = bought.agg(["min", "max", "count"]).join(tables["truth_customers"].set_index("customer_id"))
    end = pd.Timestamp(FULL.end_t, unit="us", tz="UTC")
    lives["x"] = lives["count"] - 1
    lives["t_x"] = (lives["max"] - lives["min"]) / DAY
    lives["T"] = (end - lives["min"]) / DAY
    return lives


# --- the world is the one that was asked for ------------------------------------------------------------


def test_bg_nbd_fitted_to_the_shop_finds_its_parameters(even: dict[str, pd.DataFrame]) -> None:
    lives = lives_of(even)
    fitter = lifetimes.BetaGeoFitter()
    fitter.fit(lives["x"], lives["t_x"], lives["T"])
    r, alpha, a, b = fitter.params_[["r", "alpha", "a", "b"]]
    assert r == pytest.approx(PLAIN.r, rel=0.06)
    assert alpha == pytest.approx(PLAIN.alpha, rel=0.12)
    assert a == pytest.approx(PLAIN.a, rel=0.15)
    assert a / (a + b) == pytest.approx(PLAIN.a / (PLAIN.a + PLAIN.b), rel=0.06)


def test_gamma_gamma_fitted_to_the_shop_finds_its_parameters(even: dict[str, pd.DataFrame]) -> None:
    bought = even["transactions"].query("amount > 0").groupby("customer_id")["amount"].agg(["count", "mean"])
    fitter = lifetimes.GammaGammaFitter()
    fitter.fit(bought["count"], bought["mean"])
    p, q, v = fitter.params_[["p", "q", "v"]]
    assert p == pytest.approx(PLAIN.p, rel=0.1)
    assert q == pytest.approx(PLAIN.q, rel=0.1)
    assert p * v / (q - 1) == pytest.approx(PLAIN.p * PLAIN.v / (PLAIN.q - 1), rel=0.03)


def test_orders_and_spend_have_their_theoretical_means(even: dict[str, pd.DataFrame]) -> None:
    lives = lives_of(even)
    rate, p = lives["orders_per_day"], lives["dropout_probability"].clip(1e-12)
    expected = (-np.expm1(-rate * p * lives["T"]) / p).sum()  # Fader, Hardie & Lee (2005), equation 7
    assert lives["x"].sum() == pytest.approx(expected, rel=0.03)
    assert rate.mean() == pytest.approx(PLAIN.r / PLAIN.alpha, rel=0.05)
    assert p.mean() == pytest.approx(PLAIN.a / (PLAIN.a + PLAIN.b), rel=0.03)
    amounts = even["transactions"].query("amount > 0")["amount"]
    assert amounts.mean() == pytest.approx(PLAIN.p * PLAIN.v / (PLAIN.q - 1), rel=0.03)
    truth = even["truth_customers"]["buyer"]
    assert truth.mean() == pytest.approx(PLAIN.buyer_share, abs=0.01)


def test_expected_orders_equal_a_plain_simulation() -> None:
    lives = live(FULL, np.random.default_rng(3), 400)
    closed = {days: expected_orders(FULL, lives, days) for days in (90.0, 365.0)}
    chance = random.Random(1)
    active = np.flatnonzero(lives.buyer & ~lives.gone)
    waiting = active[lives.first_order[active] >= FULL.end_t]
    busy = active[np.argsort(-lives.rate[active] * lives.dropout[active])][:3]
    assert len(waiting)
    for i in (*waiting[:2], *busy):
        for days, values in closed.items():
            runs, orders = 4_000, 0
            start = max(0.0, (int(lives.first_order[i]) - FULL.end_t) / 86_400e6)
            for _ in range(runs):
                t = start
                orders += i in waiting and t < days
                while (t := t + chance.expovariate(lives.rate[i])) < days:
                    orders += 1
                    if chance.random() < lives.dropout[i]:
                        break
            assert orders / runs == pytest.approx(values[i], rel=0.08, abs=0.03)
    assert (closed[90.0][lives.gone | ~lives.buyer] == 0).all()
    assert (closed[365.0] >= closed[90.0]).all()


SHIFTED = replace(plain(World()), shift=Shift(548))


def test_orders_after_a_shift_equal_a_plain_simulation() -> None:
    """Of everybody: orders before the shift, orders after it, and who is gone by the end."""
    n = 25_000
    lives = live(SHIFTED, np.random.default_rng(8), n)
    late = lives.buys_at >= SHIFTED.shift_t
    chance = random.Random(2)
    before = after = gone = 0
    for i in np.flatnonzero(lives.buyer & (lives.first_order < SHIFTED.end_t)):
        t = int(lives.first_order[i])
        before, after = before + (t < SHIFTED.shift_t), after + (t >= SHIFTED.shift_t)
        while True:
            early = t < SHIFTED.shift_t
            t += round(chance.expovariate(lives.rate[i] * (1 if early else 0.7)) * 86_400e6)
            if early and t >= SHIFTED.shift_t:  # the wait begins anew at the slower rate
                t = SHIFTED.shift_t + round(chance.expovariate(lives.rate[i] * 0.7) * 86_400e6)
            if t >= SHIFTED.end_t:
                break
            before, after = before + (t < SHIFTED.shift_t), after + (t >= SHIFTED.shift_t)
            if chance.random() < min(1.0, lives.dropout[i] * (1 if t < SHIFTED.shift_t else 1.8)):
                gone += 1
                break
    assert (~late).sum() == pytest.approx(before, rel=0.03)
    assert late.sum() == pytest.approx(after, rel=0.03)
    assert lives.gone.sum() == pytest.approx(gone, rel=0.04)


def test_a_shift_changes_nothing_before_it(tmp_path: Path) -> None:
    for name, world in (("even", plain(World())), ("shifted", SHIFTED)):
        simulate(tmp_path / name, 4_000, 3, world)
    even, shifted = (
        frames(tmp_path / name)["transactions"].query("amount > 0") for name in ("even", "shifted")
    )
    at = pd.Timestamp(SHIFTED.shift_t, unit="us", tz="UTC")
    per_day = [len(f[f.ordered_at < at]) / 548 for f in (even, shifted)]
    assert per_day[1] == pytest.approx(per_day[0], rel=0.06)
    means = shifted.groupby(shifted.ordered_at >= at)["amount"].mean()
    assert means[True] / means[False] == pytest.approx(0.85, rel=0.03)
    assert (
        json.loads((tmp_path / "shifted/truth_parameters.json").read_text("utf-8"))["shift"]["after_days"]
        == 548
    )
    assert "shift" not in json.loads((tmp_path / "even/truth_parameters.json").read_text("utf-8"))


def test_expected_orders_after_a_shift_are_those_of_the_new_behaviour() -> None:
    lives = live(SHIFTED, np.random.default_rng(4), 2_000)
    alive = lives.buyer & ~lives.gone & (lives.first_order < SHIFTED.end_t)
    slower = replace(lives, rate=lives.rate * 0.7, dropout=np.minimum(lives.dropout * 1.8, 1.0))
    unshifted = expected_orders(plain(World()), slower, 90.0)
    assert expected_orders(SHIFTED, lives, 90.0)[alive] == pytest.approx(unshifted[alive], rel=1e-12)


def test_channel_shifts_the_parameters() -> None:
    channels = {"a": Level(0.5), "b": Level(0.5, rate=2.0, dropout=3.0, value=0.5)}
    lives = live(replace(PLAIN, channels=channels), np.random.default_rng(2), 60_000)
    for code, level in enumerate(channels.values()):
        of = lives.codes["acquisition_channel"] == code
        assert of.mean() == pytest.approx(0.5, abs=0.01)
        assert lives.rate[of].mean() == pytest.approx(level.rate * PLAIN.r / PLAIN.alpha, rel=0.05)
        a = PLAIN.a * level.dropout
        assert lives.dropout[of].mean() == pytest.approx(a / (a + PLAIN.b), rel=0.03)
        value = (PLAIN.p / lives.nu[of]).mean()
        assert value == pytest.approx(level.value * PLAIN.p * PLAIN.v / (PLAIN.q - 1), rel=0.04)


# --- the tables agree with the truth --------------------------------------------------------------------


def test_truth_fits_the_purchases(shop: dict[str, pd.DataFrame]) -> None:
    lives = lives_of(shop)
    assert (lives["count"] == lives["orders"]).all()
    gone = lives["left_at"].notna()
    assert (lives.loc[gone, "max"] == lives.loc[gone, "left_at"]).all()
    assert (lives.loc[gone, "x"] >= 1).all()  # BG/NBD: nobody leaves at the first order
    assert (lives["alive_at_end"] == ~gone).all()
    assert (lives["min"] == lives["first_order_at"]).all()
    truth = shop["truth_customers"].set_index("customer_id")
    assert truth.index.is_unique
    assert truth.index.is_monotonic_increasing
    never = truth.query("not buyer")
    assert len(never) > 3000
    assert never["orders"].eq(0).all()
    assert never["expected_orders_365_days"].eq(0).all()
    assert never["orders_per_day"].isna().all()


def test_every_row_lies_in_the_period_and_after_signing_up(shop: dict[str, pd.DataFrame]) -> None:
    customers = shop["customers"].set_index("customer_id")
    end = pd.Timestamp(FULL.end_t, unit="us", tz="UTC")
    assert customers["signed_up_at"].min() >= pd.Timestamp(FULL.start_t, unit="us", tz="UTC")
    for table, column in (
        ("transactions", "ordered_at"),
        ("events", "occurred_at"),
        ("feedback", "submitted_at"),
    ):
        t = shop[table].set_index("customer_id")[column]
        assert t.max() < end
        assert (t >= customers["signed_up_at"].reindex(t.index)).all()
        assert str(t.dt.tz) == "Asia/Shanghai"
    tickets = shop["feedback"].dropna(subset="resolved_at")
    assert set(tickets["kind"]) == {"complaint", "ticket"}
    assert (tickets["resolved_at"] > tickets["submitted_at"]).all()
    assert tickets["resolved_at"].max() < end
    assert shop["feedback"].query("kind == 'nps'")["score"].between(0, 10).all()
    assert shop["feedback"].query("kind in ['csat', 'review']")["score"].between(1, 5).all()
    assert {"华东", "Overseas"} <= set(customers["region"])
    assert {"organic", "直播"} <= set(customers["acquisition_channel"])


def test_refunds_name_an_earlier_order_of_the_same_customer(shop: dict[str, pd.DataFrame]) -> None:
    rows = shop["transactions"]
    orders, refunds = rows[rows["amount"] > 0].set_index("order_id"), rows[rows["amount"] < 0]
    assert orders.index.is_unique
    assert len(refunds) / len(orders) == pytest.approx(FULL.refund_share, rel=0.1)
    paid = orders.loc[refunds["order_id"]]
    assert (paid["customer_id"].to_numpy() == refunds["customer_id"].to_numpy()).all()
    assert (paid["ordered_at"].to_numpy() < refunds["ordered_at"].to_numpy()).all()
    assert (paid["amount"].to_numpy() >= -refunds["amount"].to_numpy()).all()


def test_behaviour_fades_before_leaving(shop: dict[str, pd.DataFrame]) -> None:
    customers = shop["customers"].merge(shop["truth_customers"], on="customer_id")
    long = customers[(customers["left_at"] - customers["signed_up_at"]) > 150 * DAY]
    events = shop["events"].merge(long[["customer_id", "left_at"]], on="customer_id")
    week = ((events["left_at"] - events["occurred_at"]) / DAY // 7).astype(int)
    weekly = week[week.between(0, 19)].value_counts().reindex(range(20), fill_value=0)
    steady = weekly.loc[8:].mean()
    assert weekly.loc[0] < 0.5 * steady
    assert weekly.loc[0] < weekly.loc[2] < weekly.loc[4]
    last = events[week.between(0, 2)]["event_type"].eq("support").mean()
    assert last > 1.5 * events[week > 8]["event_type"].eq("support").mean()


def test_feedback_is_worse_before_leaving(shop: dict[str, pd.DataFrame]) -> None:
    truth = shop["truth_customers"][["customer_id", "left_at"]]
    feedback = shop["feedback"].merge(truth, on="customer_id")
    near = (feedback["left_at"] - feedback["submitted_at"]) < 14 * DAY
    for kind, step in (("nps", 1.5), ("csat", 0.7), ("review", 0.7)):
        scores = feedback.loc[feedback["kind"] == kind]
        assert scores.loc[near, "score"].mean() < scores.loc[~near, "score"].mean() - step
    bad = feedback["kind"].isin(["complaint", "ticket"])
    assert bad[near].mean() > 1.5 * bad[~near].mean()


# --- files ----------------------------------------------------------------------------------------------


def test_the_seed_decides_every_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulated_files, "CHUNK", 400)
    for name, customers, seed in (
        ("one", 1000, 1),
        ("again", 1000, 1),
        ("other", 1000, 2),
        ("large", 1600, 1),
    ):
        simulate(tmp_path / name, customers, seed, FULL)
    for name in FILES:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()
        assert (tmp_path / "one" / name).read_bytes() != (tmp_path / "other" / name).read_bytes()
    whole = [frames(tmp_path / name)["transactions"] for name in ("one", "large")]
    kept = [rows[rows["customer_id"] < "C000000800"].reset_index(drop=True) for rows in whole]
    assert len(kept[0]) > 1000
    pd.testing.assert_frame_equal(*kept)  # whole chunks do not depend on how many follow


def test_parameters_are_written(tmp_path: Path) -> None:
    steps: list[int] = []
    rows = simulate(tmp_path / "shop", 300, 9, FULL, steps.append)
    truth: dict[str, Any] = json.loads((tmp_path / "shop" / "truth_parameters.json").read_text("utf-8"))
    assert truth["orders"] == {"r": FULL.r, "alpha": FULL.alpha, "a": FULL.a, "b": FULL.b, "unit": "day"}
    assert truth["order_value"] == {"p": FULL.p, "q": FULL.q, "v": FULL.v}
    assert truth["factors"]["acquisition_channel"]["直播"]["dropout"] == 1.6
    assert (truth["customers"], truth["seed"], truth["rows"]) == (300, 9, rows)
    assert truth["end"] == "2026-01-01"
    assert sum(steps) == rows["customers"] == 300


def test_only_a_simulation_is_replaced(tmp_path: Path) -> None:
    out = tmp_path / "shop"
    (tmp_path / ".shop.draft").mkdir()
    (tmp_path / ".shop.draft" / "events.parquet").write_text("left by a killed run")
    simulate(out, 50, 1, FULL)
    simulate(out, 80, 1, FULL)
    assert {p.name for p in out.iterdir()} == FILES
    assert pq.read_metadata(out / "customers.parquet").num_rows == 80
    assert [p.name for p in tmp_path.iterdir()] == ["shop"]
    (out / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match=r"holds 'notes.txt', which is no file of a simulated shop"):
        simulate(out, 50, 1, FULL)
    assert pq.read_metadata(out / "customers.parquet").num_rows == 80
    with pytest.raises(InputError, match="is a file; give a new or empty folder"):
        simulate(out / "notes.txt", 50, 1, FULL)
    with pytest.raises(InputError, match="customers: 0 is too few"):
        simulate(tmp_path / "none", 0, 1, FULL)


def test_a_failed_simulation_leaves_the_earlier_one(tmp_path: Path) -> None:
    simulate(tmp_path / "shop", 50, 1, FULL)

    def stop(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate(tmp_path / "shop", 80, 1, FULL, stop)
    assert pq.read_metadata(tmp_path / "shop" / "customers.parquet").num_rows == 50
    assert [p.name for p in tmp_path.iterdir()] == ["shop"]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    code = (
        "import runpy, sys; sys.path[:0] = ['src', '.']; "
        "runpy.run_module('training.simulate', alter_sys=True, run_name='__main__')"
    )
    argv = [sys.executable, "-c", code, *arguments]
    return subprocess.run(argv, capture_output=True, text=True, check=False, cwd=ROOT)


def test_command_writes_what_the_config_reads(tmp_path: Path) -> None:
    out = tmp_path / "shop"
    done = run("--customers", "200", "--seed", "4", "--out", str(out), "--days", "400")
    assert done.returncode == 0, done.stderr
    assert "transactions" in done.stdout
    for source in settings.load(ROOT / "configs" / "shop.yaml").sources.given.values():
        assert source.path is not None
        table = pq.read_table(out / Path(source.path).name)
        assert set(source.columns.values()) == set(table.column_names)
    assert json.loads((out / "truth_parameters.json").read_text("utf-8"))["start"] == "2024-11-27"


def test_command_explains_what_is_wrong(tmp_path: Path) -> None:
    done = run("--customers", "0", "--out", str(tmp_path / "shop"))
    assert done.returncode == 2
    assert "argument --customers: '0': give a whole number from 1 to 50,000,000" in done.stderr
    (tmp_path / "mine.txt").write_text("mine")
    done = run("--customers", "9", "--shift-after", "1096", "--out", str(tmp_path / "shop"))
    assert done.returncode == 2
    assert "--shift-after 1096: lies outside the 1096 days of the shop" in done.stderr
    done = run("--customers", "9", "--out", str(tmp_path))
    assert done.returncode == 2
    assert "error: " in done.stderr
    assert "holds 'mine.txt', which is no file of a simulated shop" in done.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]
