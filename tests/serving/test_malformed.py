"""No body, however wrong, gets anything but a 4xx that says what is wrong; the service is none the worse for it."""

from collections import Counter
from typing import Any

import httpx
import pytest

from tests.serving.malformed import GOOD, Malformed, bodies

SHOWN = 20
LEAKS = ("Traceback", 'File "', ".py", "pydantic", "site-packages", "<class", "line 1, in", "object at 0x")


def endpoints(served: Any) -> list[str]:
    """The POST endpoints that the service describes; each must have a good body here."""
    paths = served.client.get("/openapi.json").json()["paths"]
    found = [path for path, methods in paths.items() if "post" in methods]
    assert set(found) <= set(GOOD), "give the new endpoint a good body in malformed.py"
    assert found
    return found


def fault(answer: httpx.Response, sent: Malformed) -> str | None:
    """What is wrong with the answer; None: nothing."""
    if answer.status_code not in sent.statuses:
        return f"{answer.status_code} instead of {'/'.join(map(str, sent.statuses))}: {answer.text[:150]}"
    if answer.headers.get("content-type") != "application/problem+json":
        return f"content type {answer.headers.get('content-type')}: {answer.text[:150]}"
    problem = answer.json()
    if not {"type", "title", "status", "detail"} <= set(problem) or problem["status"] != answer.status_code:
        return f"no problem details: {answer.text[:150]}"
    if not problem["detail"] or len(answer.content) > 50_000:
        return f"detail of {len(problem['detail'])} characters, answer of {len(answer.content)} bytes"
    if any(leak in answer.text for leak in LEAKS):
        return f"tells of the inside: {answer.text[:300]}"
    if sent.path is not None and answer.status_code != 413:
        named = [problem.get("path"), *(entry.get("path") for entry in problem.get("errors") or ())]
        if not any(name is not None and name.startswith(sent.path[:60]) for name in named):
            return f"names {named[:3]} instead of {sent.path[:80]}: {problem['detail'][:100]}"
    return None


def good(served: Any, endpoint: str) -> str | None:
    """The service still answers a good request."""
    answer = served.client.post(endpoint, json=GOOD[endpoint])
    return (
        None if answer.status_code == 200 else f"a good {endpoint}: {answer.status_code} {answer.text[:200]}"
    )


@pytest.mark.parametrize("count", [500, pytest.param(10_000, marks=pytest.mark.heavy)])
def test_malformed_bodies_get_4xx_and_a_path(served: Any, count: int) -> None:
    known = endpoints(served)
    faults: Counter[str] = Counter()
    examples: dict[str, str] = {}
    kinds: Counter[str] = Counter()
    for number, sent in enumerate(bodies(count, 17, known)):
        answer = served.client.post(sent.endpoint, content=sent.content, headers=sent.headers)
        kinds[sent.kind] += 1
        if found := fault(answer, sent):
            faults[f"{sent.kind} {sent.endpoint}"] += 1
            examples.setdefault(f"{sent.kind} {sent.endpoint}", f"{sent.content[:300]!r} -> {found}")
        if number % 100 == 99 and (found := good(served, known[number // 100 % len(known)])):
            pytest.fail(f"after {number + 1} malformed bodies: {found}")
    shown = "\n".join(f"{n} x {name}: {examples[name]}" for name, n in faults.most_common(SHOWN))
    assert not faults, f"{sum(faults.values())} of {count} bodies:\n{shown}"
    assert len(kinds) >= 20
    for endpoint in known:
        assert good(served, endpoint) is None
    assert served.process.poll() is None


def test_every_good_body_is_good(served: Any) -> None:
    """Else the malformed ones would prove nothing."""
    for endpoint in endpoints(served):
        assert good(served, endpoint) is None
