"""What may become champion, what a promotion may not replace, and the way back."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from lifestage import bundle, release, settings
from lifestage.churn.model import ChurnModel
from lifestage.clv.model import ClvModel
from lifestage.errors import InputError
from lifestage.tracking import CHALLENGER, CHAMPION, Tracker, Version
from training import promote as promoting
from training.gate import gate
from training.promote import promote, refuse_older, worth_promoting
from training.rollback import roll_back, versions_of
from training.switch import RECORD

DAY = 86_400_000_000
CHURN, CLV = "shop-churn", "shop-clv"


class Registry:
    """A tracker that knows the grades and tags of some aliases and versions."""

    def __init__(
        self, grades: Mapping[str, float | None], tags: Mapping[str, Mapping[str, str]] | None = None
    ) -> None:
        self.grades, self.tags = grades, tags or {}
        self.asked: list[tuple[str, str]] = []

    def aliased(self, _model: str, alias: str) -> str | None:
        return f"{alias}-number" if alias in self.grades else None

    def version(self, model: str, wanted: str) -> Version:
        self.asked.append((model, wanted))
        if wanted not in self.grades:
            raise InputError(f"{model}: has no version '{wanted}'")
        grade = self.grades[wanted]
        metrics = {} if grade is None else {"grade": grade}
        return Version(model, f"{wanted}-number", "run", metrics, tags=self.tags.get(wanted, {}))


@pytest.fixture
def config(shop: Path, monkeypatch: pytest.MonkeyPatch) -> settings.Shop:
    monkeypatch.chdir(shop)
    return settings.load("shop.yaml")


A, B, C = 2.0, 1.0, 0.0


@pytest.mark.parametrize(
    ("champion", "challenger", "kept"),
    [
        (B, C, True),
        (A, C, True),
        (None, C, True),
        (C, C, False),
        (B, B, False),
        (A, B, False),
        (B, None, False),
    ],
)
def test_grade_c_does_not_replace_a_better_champion(
    config: settings.Shop,
    capsys: pytest.CaptureFixture[str],
    champion: float | None,
    challenger: float | None,
    kept: bool,
) -> None:
    registry: Any = Registry({"champion": champion, "challenger": challenger, "7": C})
    assert worth_promoting(registry, config, "challenger") == ("champion" if kept else "challenger")
    said = capsys.readouterr().out
    assert ("has grade C and does not replace version champion-number" in said) == kept
    assert worth_promoting(registry, config, "7") == "7"  # asked for by its number


def test_grade_c_is_better_than_nothing(config: settings.Shop) -> None:
    registry: Any = Registry({"challenger": C})
    assert worth_promoting(registry, config, "challenger") == "challenger"


@pytest.mark.parametrize(
    ("tags", "kept"),
    [
        ({"challenger": {"rolled_back": "for version 1"}}, True),
        # trained again on the data of the version that was taken back
        (
            {
                "champion": {"in_place_of": "7"},
                "7": {"fingerprint": "abc"},
                "challenger": {"fingerprint": "abc"},
            },
            True,
        ),
        (
            {
                "champion": {"in_place_of": "7"},
                "7": {"fingerprint": "abc"},
                "challenger": {"fingerprint": "newer"},
            },
            False,
        ),
    ],
)
def test_what_was_taken_back_does_not_come_again_by_itself(
    config: settings.Shop,
    capsys: pytest.CaptureFixture[str],
    tags: dict[str, dict[str, str]],
    kept: bool,
) -> None:
    registry: Any = Registry({"champion": B, "challenger": A, "7": A}, tags)
    assert worth_promoting(registry, config, "challenger") == ("champion" if kept else "challenger")
    assert ("was champion and was taken back" in capsys.readouterr().out) == kept
    assert worth_promoting(registry, config, "7") == "7"


def test_a_held_back_churn_model_holds_back_its_clv_model(
    config: settings.Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped right after the versions are chosen."""
    registry = Registry({"champion": B, "challenger": C})
    asked: list[tuple[str, str]] = registry.asked
    stopped = RuntimeError("far enough")

    def halt(*_: Any) -> None:
        raise stopped

    monkeypatch.setattr("lifestage.tracking.Tracker", lambda _uri: registry)
    monkeypatch.setattr(Registry, "download", halt, raising=False)
    with pytest.raises(RuntimeError, match="far enough"):
        promoting.promote(config, None, "challenger", "challenger")
    assert asked[-2:] == [("shop-churn", "champion"), ("shop-clv", "champion")]


def test_data_that_end_earlier_do_not_replace_a_newer_release(config: settings.Shop) -> None:
    now = int(bundle.read(release.current(config.releases), "release")["as_of"])
    refuse_older(config, now)
    with pytest.raises(InputError, match=r"the current release .* is newer.*--replace-newer"):
        refuse_older(config, now - DAY)


@pytest.fixture(scope="module")
def folder(shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The piped shop once more, to promote in: its release, its history, its tracking database."""
    mine = tmp_path_factory.mktemp("promotions")
    shutil.copytree(shop / "var", mine / "var")
    shutil.copytree(shop / "data", mine / "data", copy_function=shutil.copy2)
    document = yaml.safe_load((shop / "shop.yaml").read_text(encoding="utf-8"))
    (mine / "shop.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    return mine


@pytest.fixture
def mine(folder: Path, monkeypatch: pytest.MonkeyPatch) -> settings.Shop:
    monkeypatch.chdir(folder)
    return settings.load("shop.yaml")


def served(shop: settings.Shop) -> dict[str, str]:
    return versions_of(release.current(shop.releases))


def champions(shop: settings.Shop, alias: str = CHAMPION) -> dict[str, str | None]:
    tracker = Tracker(shop.tracking_uri)
    return {name: tracker.aliased(name, alias) for name in (CHURN, CLV)}


def register_again(shop: settings.Shop, scratch: Path, as_of: str) -> tuple[str, str]:
    """The models that serve, registered as new challengers that were trained as of another day."""
    tracker, current = Tracker(shop.tracking_uri), release.current(shop.releases)
    about = {kind: bundle.read(current / kind, kind) for kind in ("churn", "clv")}
    own = ("kind", "versions", "files", "checksum")
    told = {kind: {k: v for k, v in one.items() if k not in own} for kind, one in about.items()}
    made = []
    for kind in ("churn", "clv"):
        meta = {**told[kind], "as_of": as_of}
        to = scratch / f"{kind}-{as_of}"
        if kind == "churn":
            model = ChurnModel.load(current / kind)
            model.save(to, meta)
            inputs, outputs = list(model.features), ["churn_probability"]
        else:
            clv = ClvModel.load(current / kind)
            clv.save(to, meta, evaluated=ClvModel.load(current / kind, fit="evaluation"))
            inputs, outputs = ["frequency", "recency", "T", "monetary_value"], list(ClvModel.OUTPUTS)
        with tracker.run("shop", kind, {"kind": kind}) as run:
            run.metrics({"grade": B})
            made.append(run.model(to, f"shop-{kind}", inputs, outputs, tags={"fingerprint": as_of}).version)
    return made[0], made[1]


def test_the_first_round_keeps_what_serves_and_says_so(
    mine: settings.Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    said = gate(mine, None)
    assert {kind: one["verdict"] for kind, one in said.items()} == {"churn": "same", "clv": "same"}
    json.dumps(said, allow_nan=False)
    before = release.pointer(mine.releases)
    assert promote(mine, None, verdict=said) == release.current(mine.releases)
    assert release.pointer(mine.releases) == before
    assert "nothing to promote: release" in capsys.readouterr().out


def test_a_round_forth_and_back(
    mine: settings.Shop, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, first_release = served(mine), release.current(mine.releases).name
    churn, clv = register_again(mine, tmp_path, "2026-01-02")
    said = gate(mine, None)
    shown = capsys.readouterr().out
    assert (
        f"{CHURN} version {churn} against champion version {first[CHURN]}: promote: as good, and newer"
        in shown
    )
    assert said["churn"] | {"reasons": [], "figures": {}} == {
        "promote": True,
        "verdict": "younger",
        "challenger": churn,
        "champion": first[CHURN],
        "reasons": [],
        "figures": {},
    }
    assert said["churn"]["figures"]["gain"] == said["clv"]["figures"]["gain"] == 0
    recorded = Tracker(mine.tracking_uri).version(CHURN, churn)
    assert recorded.tags["gate"] == "younger"
    assert recorded.tags["gate_champion"] == first[CHURN]
    assert recorded.tags["gate_reasons"] == " ".join(said["churn"]["reasons"])
    assert recorded.metrics["gate/gain"] == 0

    promote(mine, None, verdict=said)
    assert served(mine) == champions(mine) == {CHURN: churn, CLV: clv}
    assert champions(mine, "previous") == first
    second_release = release.current(mine.releases).name

    # One kind alone: the other stays.
    third_churn, third_clv = register_again(mine, tmp_path, "2026-01-03")
    verdict = {
        "churn": {"promote": True, "challenger": third_churn, "champion": churn},
        "clv": {"promote": False, "challenger": third_clv, "champion": clv},
    }
    promote(mine, None, verdict=verdict)
    assert served(mine) == champions(mine) == {CHURN: third_churn, CLV: clv}
    assert champions(mine, "previous") == {CHURN: churn, CLV: first[CLV]}

    # A verdict of a comparison that is no longer true.
    with pytest.raises(
        InputError, match=rf"{CHURN}: version {third_churn} is champion, and the gate compared with {churn}"
    ):
        promote(mine, None, verdict={**verdict, "churn": {**verdict["churn"], "challenger": "99"}})

    # Back, and further back, and then there is none.
    roll_back(mine, "shop.yaml")
    assert release.current(mine.releases).name == second_release
    assert served(mine) == champions(mine) == {CHURN: churn, CLV: clv}
    roll_back(mine, "shop.yaml")
    assert release.current(mine.releases).name == first_release
    assert served(mine) == champions(mine) == first
    with pytest.raises(InputError, match="there was no other model to go back to"):
        roll_back(mine, "shop.yaml")
    lines = [json.loads(line) for line in (mine.releases / RECORD).read_text().splitlines()]
    assert [line["action"] for line in lines[-4:]] == ["promote", "promote", "rollback", "rollback"]

    # The challenger is what was taken back: it does not come again by itself, but by its number.
    tracker = Tracker(mine.tracking_uri)
    assert tracker.version(CHURN, CHALLENGER).tags["rolled_back"]
    again = gate(mine, None)["churn"]
    assert (again["verdict"], again["promote"]) == ("kept", False)
    assert "was taken back, so it must be surely better" in again["reasons"][0]
    promote(mine, None)
    assert champions(mine)[CHURN] == first[CHURN]
    assert "was champion and was taken back and does not replace version" in capsys.readouterr().out
    promote(mine, None, third_churn, CHAMPION)
    assert champions(mine)[CHURN] == third_churn
    assert "rolled_back" not in tracker.version(CHURN, third_churn).tags


def test_an_earlier_release_by_its_name_brings_its_versions(mine: settings.Shop) -> None:
    from training.rollback import go_back

    now = release.pointer(mine.releases)
    assert now is not None
    go_back(mine, now.chain[0], "shop.yaml")
    assert served(mine) == champions(mine) == versions_of(mine.releases / now.chain[0])


def test_what_the_first_training_registered(mine: settings.Shop) -> None:
    """Tags, card, example and lineage of what the pipeline made."""
    client = Tracker(mine.tracking_uri).client
    for kind, horizon in (("churn", "churn"), ("clv", "clv")):
        made = client.get_model_version(f"shop-{kind}", "1")
        tags = made.tags
        assert (tags["shop"], tags["kind"], tags["as_of"]) == ("shop", kind, "2026-01-01")
        assert tags["definition"] == mine.churn.definition
        assert tags["horizon_days"] == str(getattr(mine, horizon).horizon_days)
        assert made.description.startswith(f"# shop-{kind}\n")
        assert "**Limits**" in made.description
        dataset = client.get_run(made.run_id).inputs.dataset_inputs[0]
        assert json.loads(dataset.dataset.source)["transactions"] == mine.sources.transactions.path
        assert tags["fingerprint"].startswith(dataset.dataset.digest)
        window = {tag.key: tag.value for tag in dataset.tags}
        assert (window["as_of"], window["fingerprint"]) == ("2026-01-01", tags["fingerprint"])
    assert client.get_model_version(CHURN, "1").tags["grade"] in "ABC"


def test_the_example_of_a_version_can_be_predicted(mine: settings.Shop) -> None:
    import mlflow

    Tracker(mine.tracking_uri)
    for name, column in ((CHURN, "churn_probability"), (CLV, "clv")):
        model = mlflow.pyfunc.load_model(f"models:/{name}/1")
        example = model.input_example
        assert len(example) == 3
        assert list(example.columns) == model.metadata.signature.inputs.input_names()
        assert model.predict(example)[column].notna().all()
