"""What schemathesis cannot know of a shop: ids that exist, columns with a meaning; and a check of its own.

Loaded by its command line (SCHEMATHESIS_HOOKS). LIFESTAGE_IDS: ids of stored customers, a comma between two.
"""

import os
import random
from typing import Any

import schemathesis
from schemathesis.core.parameters import ParameterLocation

IDS = [name for name in os.environ.get("LIFESTAGE_IDS", "").split(",") if name]
COLUMNS = ("order_count", "days_since_last_order", "churn_probability", "clv", "spend_total")


@schemathesis.hook
def map_case(_context: Any, case: Any) -> Any:
    """Half of the ids are known ones, half of the columns published ones: else every answer would be a refusal."""
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return case  # what is wrong on purpose must stay wrong
    draw = random.Random(repr(case.path_parameters) + repr(case.body)[:200])
    if IDS and case.path_parameters and "customer_id" in case.path_parameters and draw.random() < 0.5:
        case.path_parameters = {**case.path_parameters, "customer_id": draw.choice(IDS)}
    body = case.body
    if isinstance(body, dict):
        wanted = body.get("customer_ids")
        if isinstance(wanted, list) and wanted and all(isinstance(name, str) and name for name in wanted):
            case.body = {**body, "customer_ids": [draw.choice((name, *IDS[:3])) for name in wanted]}
        for customer in body["customers"] if isinstance(body.get("customers"), list) else ():
            columns = customer.get("columns") if isinstance(customer, dict) else None
            if isinstance(columns, dict) and columns and draw.random() < 0.5:
                numbers = [
                    v for v in columns.values() if isinstance(v, float | int) and not isinstance(v, bool)
                ]
                customer["columns"] = {draw.choice(COLUMNS): abs(value) for value in numbers}
    return case


@schemathesis.check
def refusals_say_what_to_mend(_context: Any, response: Any, _case: Any) -> None:
    """Problem details with a sentence, and nothing of the inside."""
    if response.status_code < 400:
        return
    problem = response.json()
    assert problem["status"] == response.status_code
    assert problem["type"].startswith("urn:lifestage:problem:")
    assert problem["detail"], "no detail"
    for leak in ("Traceback", 'File "', "site-packages", "pydantic"):
        assert leak not in response.text, leak


@schemathesis.check
def a_bad_customer_among_others_is_told(_context: Any, response: Any, case: Any) -> None:
    """A body against the description is answered 200 only where `errors` says which of its customers are bad."""
    if response.status_code != 200 or case.path not in ("/v1/score", "/v1/explain") or case.meta is None:
        return
    body = case.meta.components.get(ParameterLocation.BODY)
    if body is not None and body.mode.is_negative:
        assert response.json()["errors"], "a wrong body was taken for a right one"
