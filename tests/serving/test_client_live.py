"""The client against the running service."""

import types
from typing import Any, get_args, get_origin, get_type_hints, is_typeddict

import pytest

from lifestage_client import Lifestage, LifestageError, answers, histories, model


@pytest.fixture
def client(served: Any) -> Lifestage:
    return Lifestage(str(served.client.base_url), timeout=60)


def test_scores_are_those_of_the_service(client: Lifestage, served: Any, made: Any) -> None:
    records = [made.record(name) for name in list(made.rows)[:30]]
    answer = client.score(records, as_of=made.as_of)
    plain = served.client.post("/v1/score", json={"as_of": made.as_of, "customers": records}).json()
    assert answer == plain
    assert [score["customer_id"] for score in answer["scores"]] == [r["customer_id"] for r in records]


def test_rows_of_orders_become_scores(client: Lifestage, made: Any) -> None:
    names = list(made.rows)[:5]
    rows = [{"customer_id": name, **row} for name in names for row in made.rows[name]]
    scores = client.score(histories(rows), as_of=made.as_of)["scores"]
    assert [score["customer_id"] for score in scores] == names
    bare = [{"customer_id": name, "purchases": made.record(name)["purchases"]} for name in names]
    assert scores == client.score(bare, as_of=made.as_of)["scores"]


def test_one_bad_customer_leaves_the_others_scored(client: Lifestage, made: Any) -> None:
    good = made.record(next(iter(made.rows)))
    bad: Any = {"customer_id": "b", "purchases": [{"ordered_at": "yesterday", "amount": 1.0}]}
    answer = client.score([bad, good], as_of=made.as_of)
    assert [score["customer_id"] for score in answer["scores"]] == [good["customer_id"]]
    (failure,) = answer["errors"]
    assert (failure["index"], failure["customer_id"]) == (0, "b")
    assert failure["path"] == "customers[0].purchases[0].ordered_at"
    with pytest.raises(LifestageError, match=r"400 .*ordered_at") as caught:
        client.score([bad], as_of=made.as_of)
    assert caught.value.errors


def test_explanations_have_as_many_reasons_as_asked_for(client: Lifestage, made: Any) -> None:
    record = made.record(next(name for name, row in made.scores.items() if row["eligible"]))
    (explained,) = client.explain([record], as_of=made.as_of, top=2)["explanations"]
    assert explained["churn_reasons"] is not None
    assert len(explained["churn_reasons"]) == 2
    assert explained["churn_probability"] == made.scores[record["customer_id"]]["churn_probability"]


def test_stored_scores_are_looked_up(client: Lifestage, made: Any) -> None:
    name = next(iter(made.scores))
    found = client.customer(name)
    assert found is not None
    assert found["score"]["customer_id"] == name
    assert found["run"] == made.run.name
    assert client.customer("nobody / at all?") is None


def test_columns_are_staged(client: Lifestage) -> None:
    columns = {"order_count": 2, "days_since_last_order": 400.0, "eligible": False}
    answer = client.stage([{"customer_id": "c", "columns": columns}], as_of="2023-06-25")
    assert answer["stages"][0]["customer_id"] == "c"
    assert answer["stages"][0]["stage"]


def test_many_are_looked_up_at_once(client: Lifestage, made: Any) -> None:
    names = list(made.scores)
    asked = [*names, *(f"nobody-{i}" for i in range(1_200))]
    answer = client.customers(asked)
    assert [found["customer_id"] for found in answer["customers"]] == names
    assert answer["unknown"] == asked[len(names) :]
    assert answer["run"] == made.run.name


def test_stages_and_the_model_are_told(client: Lifestage, made: Any) -> None:
    assert client.stages()["run"] == made.run.name
    assert client.model()["release"] == "tiny-1"


def test_it_is_ready(client: Lifestage) -> None:
    assert client.ready()


def unlike(typed: Any, got: Any, where: str) -> list[str]:
    """Names that an answer has and its type has not, or the other way round: all the way down."""
    found: list[str] = []
    for member in get_args(typed) if get_origin(typed) is types.UnionType else (typed,):
        if is_typeddict(member) and isinstance(got, dict):
            hints = get_type_hints(member)
            found += [f"{where}.{name}" for name in hints.keys() ^ got.keys()]
            found += [
                x
                for name in hints.keys() & got.keys()
                for x in unlike(hints[name], got[name], f"{where}.{name}")
            ]
        elif get_origin(member) is list and isinstance(got, list):
            found += [x for one in got for x in unlike(get_args(member)[0], one, f"{where}[]")]
    return found


def test_answers_have_the_fields_that_their_types_have(client: Lifestage, made: Any) -> None:
    """What really comes, not what is documented: an answer is not checked against its description on the way."""
    records = [made.record(name) for name in list(made.rows)[:20]]
    columns = {"order_count": 2, "days_since_last_order": 400.0, "eligible": False}
    got: list[tuple[Any, Any]] = [
        (answers.ScoreAnswer, client.score([*records, {"customer_id": ""}], as_of=made.as_of)),
        (answers.ExplainAnswer, client.explain(records, as_of=made.as_of)),
        (answers.StageAnswer, client.stage([{"customer_id": "c", "columns": columns}])),
        (answers.CustomerAnswer, client.customer(next(iter(made.scores)))),
        (answers.CustomersAnswer, client.customers(list(made.scores)[:20])),
        (answers.StagesAnswer, client.stages()),
        (model.ModelAnswer, client.model()),
    ]
    for typed, answer in got:
        assert unlike(typed, answer, typed.__name__) == []
