"""Every YAML block is a configuration or policy, or a part that fits into one."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from lifestage import settings
from lifestage.features import FeatureSpec
from lifestage.lifecycle import policy as policies
from lifestage.settings import Shop
from tests.docs.blocks import Block, blocks, pages
from tests.docs.project import ROOT

SHOP = yaml.safe_load("""
shop: myshop
timezone: Europe/Berlin
currency: EUR
sources:
  transactions: {path: data/orders.csv, columns: {customer_id: a, ordered_at: b, amount: c}}
""")
PRESET = yaml.safe_load(policies.load("ecommerce").source)
POLICY = {
    "name": "part",
    "default": "rest",
    "tiers": PRESET["tiers"],
    "stages": [
        {"name": stage, "labels": {"en": stage, "zh": stage}, "enter": "order_count = 0"}
        for stage in ("at_risk", "rest")
    ],
}
YAML = [
    pytest.param(block, id=f"{path.relative_to(ROOT)}:{block.line}")
    for path in pages(ROOT)
    for block in blocks(path.read_text(encoding="utf-8"))
    if block.language == "yaml"
]


def merged(base: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    """A part put into a whole; stages of the whole stay behind those of the part."""
    stages = [
        s for s in base.get("stages", []) if s["name"] not in {p["name"] for p in part.get("stages", [])}
    ]
    whole = {**base, **part}
    if "stages" in base:
        whole["stages"] = part.get("stages", []) + stages
    if isinstance(part.get("sources"), dict) and "shop" not in part:
        whole["sources"] = {**base["sources"], **part["sources"]}
    return whole


def is_policy(document: dict[str, Any]) -> bool:
    return "stages" in document or isinstance(document.get("alerts"), list) or "tiers" in document


@pytest.mark.parametrize("block", YAML)
def test_a_block_is_valid(block: Block) -> None:
    document = yaml.safe_load(block.text)
    assert isinstance(document, dict)
    if is_policy(document):
        whole = document if "name" in document else merged(POLICY, document)
        spec = FeatureSpec(behaviour=True, feedback=("nps",))
        policies.parse(whole, "block", yaml.safe_dump(whole), spec)
    else:
        whole = document if "shop" in document else merged(SHOP, document)
        assert set(whole) <= set(Shop.model_fields)
        settings.parse(whole, "block")


@pytest.mark.parametrize("block", [p for p in YAML if p.values[0].note == "the defaults"])
def test_what_is_called_the_defaults_is(block: Block) -> None:
    assert settings.parse(merged(SHOP, yaml.safe_load(block.text)), "block") == settings.parse(SHOP, "shop")


def test_the_readme_file_is_the_howto_file() -> None:
    """Who goes on from the README to the page reads of the same shop."""

    def file(page: str) -> Any:
        found = blocks(Path(ROOT / page).read_text(encoding="utf-8"))
        (block,) = [b for b in found if b.text.startswith("# configs/myshop.yaml")]
        return yaml.safe_load(block.text)["sources"]

    assert (
        file("README.md")["transactions"]["columns"]
        == file("docs/howto/own-shop.md")["transactions"]["columns"]
    )
