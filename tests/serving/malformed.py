"""Bodies that no POST endpoint may take, from a seed: each with the status it must get and the path to be named.

Every kind is wrong for certain, whatever the endpoint does with the rest of the body: one customer a body, so that
no other customer can be answered.
"""

import copy
import gzip
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

JSON = "application/json"
Step = int | str

HISTORY: dict[str, Any] = {
    "as_of": "2023-05-01",
    "customers": [
        {
            "customer_id": "Käthe-17",
            "purchases": [
                {"ordered_at": "2022-11-02", "amount": 12.5, "order_id": "a1", "category": "art", "channel": "app"},
                {"ordered_at": "2023-01-05T10:00:00+01:00", "amount": 30.25, "order_id": "a2", "discount": 1.5},
                {"ordered_at": "2023-02-01", "amount": -30.25, "order_id": "a2"},
            ],
            "events": [{"occurred_at": "2023-02-03 10:00", "event_type": "view", "session_id": "s"}],
            "feedback": [{"submitted_at": "2023-02-05", "kind": "nps", "score": 9.0, "resolved_at": "2023-02-06"}],
            "subscriptions": [{"started_at": "2023-01-01", "ended_at": "2023-04-01", "plan": "p", "monthly_price": 5.0}],
            "signed_up_at": "2022-11-01",
            "acquisition_channel": "ads",
            "acquisition_cost": 2.5,
            "attributes": {"age": 31.0, "vip": True, "city": "Ulm"},
            "previous": {"stage": "active", "stage_since": "2023-02-01"},
        }
    ],
}  # fmt: skip
STAGED: dict[str, Any] = {
    "as_of": "2023-05-01",
    "customers": [
        {
            "customer_id": "Käthe-17",
            "columns": {"order_count": 3.0, "days_since_last_order": 130.5, "eligible": True, "clv": 38.25},
            "previous": {"stage": "active", "stage_since": "2023-02-01"},
        }
    ],
}
WANTED: dict[str, Any] = {"customer_ids": ["Käthe-17", "c0001"]}
GOOD = {
    "/v1/score": HISTORY,
    "/v1/explain": HISTORY,
    "/v1/stage": STAGED,
    "/v1/customers:batchGet": WANTED,
}
"""Endpoint -> a body that it takes (customers:batchGet: or whose ids it does not know)."""
TIMES = {"as_of", "ordered_at", "occurred_at", "submitted_at", "resolved_at", "started_at", "ended_at"} | {
    "signed_up_at",
    "stage_since",
}
REQUIRED = {"customers", "customer_ids", "customer_id", "columns", "ordered_at", "amount", "occurred_at"} | {
    "event_type",
    "submitted_at",
    "kind",
    "started_at",
    "stage",
    "stage_since",
}
NO_TIMES = (
    "", " ", "now", "yesterday", "0000-00-00", "-0001-01-01", "2023-02-30", "2023-13-01", "10000-01-01", "99999999999",
    "2023-01-01T25:00:00", "2023-01-01T00:61:00", "2023-01-01T00:00:00+99:99", "0000-12-31", "1e10", "2023-01-01\u0000",
    "-292277026596-12-04", "2023-W53-9", "٢٠٢٣-٠١-٠١", "2023-01-01T00:00:00Z; DROP TABLE scores",
)  # fmt: skip
NO_NUMBERS = (
    "1e400",
    "-1e400",
    "1e999999999",
    "NaN",
    "Infinity",
    "-Infinity",
    "9" * 1_000,
    "-" + "9" * 1_000,
)
HUGE = ("9" * 100_000, "-" + "1" * 20_000, "1" + "0" * 400 + ".5")
OTHER_TYPES = (
    "text/plain", "application/xml", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
    "application/octet-stream", "text/html; charset=utf-8", "application/jsonp", "json", "a/b/c", "application/yaml",
)  # fmt: skip
MARK = "@@here@@"


@dataclass(frozen=True)
class Malformed:
    """One body: its kind for messages, where it goes, what it must get."""

    kind: str
    endpoint: str
    content: bytes
    headers: dict[str, str]
    statuses: tuple[int, ...] = (400, 413, 422)
    path: str | None = None
    """The path that the answer must name, or a longer one; None: there is none."""


def place(steps: tuple[Step, ...]) -> str:
    """customers[0].purchases[3].amount"""
    return "".join(f"[{s}]" if isinstance(s, int) else f".{s}" for s in steps).lstrip(".")


def places(value: Any, steps: tuple[Step, ...] = ()) -> Iterator[tuple[Step, ...]]:
    """Every place of a document, itself left out."""
    if isinstance(value, dict | list):
        for step, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield (*steps, step)
            yield from places(inner, (*steps, step))


def at(document: Any, steps: tuple[Step, ...]) -> Any:
    for step in steps:
        document = document[step]
    return document


def put(document: Any, steps: tuple[Step, ...], value: Any) -> Any:
    made = copy.deepcopy(document)
    at(made, steps[:-1])[steps[-1]] = value
    return made


def text(document: Any) -> str:
    return json.dumps(document, ensure_ascii=False)


def raw(document: Any, steps: tuple[Step, ...], literal: str) -> bytes:
    """The document with `literal` as it stands at the place."""
    return text(put(document, steps, MARK)).replace(f'"{MARK}"', literal).encode("utf-8", "surrogatepass")


class Maker:
    """Draws bodies for one endpoint."""

    def __init__(self, draw: random.Random, endpoint: str) -> None:
        self.draw, self.endpoint, self.good = draw, endpoint, GOOD[endpoint]
        self.places = list(places(self.good))

    def make(
        self,
        content: bytes | str,
        path: tuple[Step, ...] | None = None,
        statuses: tuple[int, ...] = (400, 413, 422),
        **headers: str,
    ) -> Malformed:
        body = content.encode() if isinstance(content, str) else content
        about = {"content-type": JSON, **{name.replace("_", "-"): value for name, value in headers.items()}}
        return Malformed("", self.endpoint, body, about, statuses, None if path is None else place(path))

    def _some(self, fits: Callable[[tuple[Step, ...], Any], bool]) -> tuple[Step, ...] | None:
        found = [p for p in self.places if fits(p, at(self.good, p))]
        return self.draw.choice(found) if found else None

    def truncated(self) -> Malformed:
        whole = text(self.good).encode()
        return self.make(whole[: self.draw.randrange(len(whole) - 1)])

    def bracket_lost(self) -> Malformed:
        whole = text(self.good)
        spots = [i for i, c in enumerate(whole) if c in '{}[]"']
        spot = self.draw.choice(spots)
        return self.make(whole[:spot] + whole[spot + 1 :])

    def wrong_type(self) -> Malformed:
        where = self.draw.choice(self.places)
        value, free = at(self.good, where), "attributes" in where[:-1] or "columns" in where[:-1]
        wrong: list[Any] = [[[]], {"x": {}}]
        if not free:
            wrong += [True, False]
            wrong += (
                ["1"] if isinstance(value, float) else ["x"] if isinstance(value, dict | list) else [7, 1.5]
            )
            wrong += [None] if isinstance(value, list | dict) and where[-1] != "previous" else []
            wrong += [7, 1e300] if isinstance(value, dict | list) else []
        if isinstance(value, list):
            wrong[0] = {}
        return self.make(text(put(self.good, where, self.draw.choice(wrong))), where)

    def number(self) -> Malformed | None:
        where = self._some(lambda _, value: isinstance(value, float))
        literal = self.draw.choice(NO_NUMBERS + HUGE)
        return where and self.make(
            raw(self.good, where, literal),
            where if len(literal) < 5_000 and "N" not in literal.upper() else None,
        )

    def time(self) -> Malformed | None:
        where = self._some(lambda steps, _: steps[-1] in TIMES)
        return where and self.make(text(put(self.good, where, self.draw.choice(NO_TIMES))), where)

    def nested(self) -> Malformed:
        deep = self.draw.choice((200, 5_000, 100_000))
        opened = self.draw.choice(("[", '{"customers":', '[{"a":', '{"customers":['))
        closed = {"[": "]", '{"customers":': "}", '[{"a":': "}]", '{"customers":[': "]}"}[opened]
        body = (
            opened * deep + self.draw.choice(("1", "")) + (closed * deep if self.draw.random() < 0.7 else "")
        )
        if self.draw.random() < 0.5:
            return self.make(body)
        return self.make(raw(self.good, self.draw.choice(self.places), body))

    def encoding(self) -> Malformed:
        whole = text(self.good)
        encoding = self.draw.choice(
            ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1", "cp037", "utf-7")
        )
        return self.make(whole.encode(encoding) if encoding != "utf-7" else b"+AHs-" + whole.encode())

    def no_utf8(self) -> Malformed:
        bad = self.draw.choice(
            (b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"\x80", b"\xe2\x82")
        )
        where = self._some(lambda _, value: isinstance(value, str))
        assert where is not None
        return self.make(text(put(self.good, where, MARK)).encode().replace(MARK.encode(), bad))

    def surrogate(self) -> Malformed:
        escape = self.draw.choice(("\\ud800", "\\udfff", "\\udc00\\ud800", "\\ud83d\\u0041", "a\\ud800"))
        if self.draw.random() < 0.2:
            return self.make(text(self.good).replace('"customer', f'"{escape}', 1))
        where = self._some(lambda _, value: isinstance(value, str))
        assert where is not None
        return self.make(raw(self.good, where, f'"{escape}"'))

    def control(self) -> Malformed:
        """A control character, the null byte among them, is no part of a JSON string."""
        where = self._some(lambda _, value: isinstance(value, str))
        assert where is not None
        character = self.draw.choice(("\0", "\n", "\x1f", "\t"))
        return self.make(raw(self.good, where, f'"a{character}b"'))

    def long_text(self) -> Malformed:
        where = self._some(
            lambda s, value: isinstance(value, str) and "attributes" not in s and "columns" not in s
        )
        assert where is not None
        size = 10_000_000 if self.draw.random() < 0.04 else 5_000
        return self.make(raw(self.good, where, '"' + self.draw.choice("aé客") * size + '"'), where)

    def long_key(self) -> Malformed:
        size = 10_000_000 if self.draw.random() < 0.04 else 5_000
        where = self._some(lambda _, value: isinstance(value, dict)) or ()
        inner = at(self.good, where)
        body = {**inner, self.draw.choice("aé客") * size: []}
        return self.make(text(put(self.good, where, body) if where else body), where)

    def twice(self) -> Malformed:
        """A key that stands twice in one object: the last must not simply win."""
        where = self._some(lambda steps, _: isinstance(steps[-1], str))
        assert where is not None
        holder, key = at(self.good, where[:-1]), where[-1]
        again = self.draw.choice([holder[key], None, 0])
        inside = text(holder)[:-1] + f", {json.dumps(key)}: {json.dumps(again)}}}"
        body = raw(self.good, where[:-1], inside) if len(where) > 1 else inside.encode()
        return self.make(body)

    def unknown(self) -> Malformed | None:
        where = self._some(
            lambda s, value: isinstance(value, dict) and s[-1] not in ("attributes", "columns")
        )
        name = self.draw.choice(("amountt", "x", "__class__", "$where", "", "customer id"))
        if where is None:
            return self.make(text({**self.good, name: 1}), (name,) if name.isalpha() else None)
        body = put(self.good, where, {**at(self.good, where), name: 1})
        return self.make(text(body), where)

    def missing(self) -> Malformed:
        where = self._some(lambda steps, _: steps[-1] in REQUIRED)
        assert where is not None
        body = copy.deepcopy(self.good)
        del at(body, where[:-1])[where[-1]]
        return self.make(text(body), where)

    def content_type(self) -> Malformed:
        kind = self.draw.choice(OTHER_TYPES)
        return self.make(text(self.good), None, (415,), content_type=kind)

    def compressed(self) -> Malformed:
        packed = gzip.compress(text(self.good).encode())
        if self.draw.random() < 0.5:
            return self.make(packed)
        bomb = gzip.compress(b"[" * 10_000_000) if self.draw.random() < 0.1 else packed
        return self.make(
            bomb, None, (400, 415), content_encoding=self.draw.choice(("gzip", "br", "zstd", "x"))
        )

    def many(self) -> Malformed:
        if self.endpoint.endswith("batchGet"):
            return self.make(text({"customer_ids": [f"c{i}" for i in range(1_001)]}), ("customer_ids",))
        customer = {k: v for k, v in self.good["customers"][0].items() if k in ("customer_id", "columns")}
        rows = [{**customer, "customer_id": f"c{i}"} for i in range(self.draw.choice((1_001, 5_000)))]
        return self.make(text({"customers": rows}), ("customers",))

    def many_rows(self) -> Malformed | None:
        if "purchases" not in self.good.get("customers", [{}])[0]:
            return None
        body = copy.deepcopy(self.good)
        kind = self.draw.choice(("purchases", "events", "feedback", "subscriptions"))
        body["customers"][0][kind] *= 20_001
        return self.make(text(body), ("customers", 0, kind))

    def too_few(self) -> Malformed:
        name = next(name for name in self.good if name.startswith("customer"))
        return self.make(text({**self.good, name: []}), (name,))

    def surroundings(self) -> Malformed:
        good = text(self.good)
        return self.make(
            self.draw.choice(
                (
                    "", " ", "\n", "null", "true", "0", '"x"', "[]", "{}", "NaN", "-", "{", "}", "\0", "\0" * 1_000,
                    good + "x", good + good, good + "\n" + good, good + "]", good + "\0", "x" + good, "//c\n" + good,
                    good[:-1] + ",}", good.replace('"', "'"), "[" + good + "]", ")]}',\n" + good, good + ";",
                    json.dumps(good), f"body={good}", good.replace(":", "=", 1), good.replace(",", ";", 1),
                )
            )
        )  # fmt: skip


KINDS: tuple[Callable[[Maker], Malformed | None], ...] = (
    Maker.truncated, Maker.bracket_lost, Maker.wrong_type, Maker.wrong_type, Maker.number, Maker.time, Maker.nested,
    Maker.encoding, Maker.no_utf8, Maker.surrogate, Maker.control, Maker.long_text, Maker.long_key, Maker.twice,
    Maker.unknown, Maker.missing, Maker.content_type, Maker.compressed, Maker.too_few, Maker.surroundings,
)  # fmt: skip
RARE = (Maker.many, Maker.many_rows)
"""Large ones."""


def bodies(count: int, seed: int, endpoints: list[str]) -> Iterator[Malformed]:
    """`count` bodies, the same for the same seed and endpoints."""
    draw = random.Random(seed)
    makers = [Maker(draw, endpoint) for endpoint in endpoints]
    made = 0
    while made < count:
        kind = draw.choice(RARE if draw.random() < 0.01 else KINDS)
        found = kind(draw.choice(makers))
        if found is not None:
            made += 1
            yield Malformed(
                kind.__name__, found.endpoint, found.content, found.headers, found.statuses, found.path
            )
