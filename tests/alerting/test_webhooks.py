"""Signatures and waits, without a network."""

from datetime import UTC, datetime
from email.utils import format_datetime

import pytest

from lifestage.alerting.webhooks import headers, retry_after, secrets_of, tried_again, wait_seconds
from lifestage.errors import InputError
from lifestage.settings.alerts import Webhook

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def test_the_signature_of_standard_webhooks_own_example() -> None:
    """The example of the Standard Webhooks reference libraries' own tests."""
    made = headers(secrets_of(SECRET), "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert made == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_two_secrets_sign_while_one_is_changed() -> None:
    other = "whsec_" + "A" * 32
    both = headers(secrets_of(f"{SECRET} {other}"), "m", 1, b"x")["webhook-signature"].split()
    alone = [headers(secrets_of(s), "m", 1, b"x")["webhook-signature"] for s in (SECRET, other)]
    assert both == alone


@pytest.mark.parametrize("text", ["", None, "  "])
def test_no_secret(text: str | None) -> None:
    with pytest.raises(InputError, match=r"LIFESTAGE_WEBHOOK_SECRET is not set: give whsec_ and the base64"):
        secrets_of(text)


@pytest.mark.parametrize(
    "text", ["hunter2", "whsec_%%%", "whsec_c2hvcnQ=", SECRET.removeprefix("whsec_"), f"{SECRET} hunter2"]
)
def test_a_bad_secret_is_told_without_showing_it(text: str) -> None:
    with pytest.raises(InputError, match=r"LIFESTAGE_WEBHOOK_SECRET is not as expected") as caught:
        secrets_of(text)
    assert not any(word.removeprefix("whsec_")[:8] in str(caught.value) for word in text.split())


def test_which_answers_may_change() -> None:
    assert [s for s in (400, 401, 403, 404, 408, 409, 410, 413, 422, 425, 429) if tried_again(s)] == [
        *(408, 409, 425, 429)
    ]
    assert all(tried_again(s) for s in (None, 500, 502, 503, 504, 599))
    assert not any(tried_again(s) for s in (200, 204, 301, 302, 307, 308))


def test_waits_grow_to_a_minute_and_jitter_takes_up_to_half() -> None:
    assert [wait_seconds(n, 0.0) for n in range(1, 9)] == [1, 2, 4, 8, 16, 32, 60, 60]
    assert wait_seconds(3, 0.5) == 3
    assert wait_seconds(1_000, 0.999) > 30


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("7", 7),
        (" 0 ", 0),
        (None, 0),
        ("", 0),
        ("soon", 0),
        ("-5", 0),
        ("1.5", 0),
        ("٣", 0),
        (format_datetime(datetime.fromtimestamp(1_090, UTC), usegmt=True), 90),
        (format_datetime(datetime.fromtimestamp(10, UTC), usegmt=True), 0),
    ],
)
def test_retry_after(text: str | None, expected: float) -> None:
    assert retry_after(text, 1_000.0) == expected


@pytest.mark.parametrize(
    "url", ["https://x.example/h", "http://127.0.0.1:9/h", "http://localhost/", "http://[::1]:80/a"]
)
def test_urls(url: str) -> None:
    assert Webhook(url=url).url == url
    assert Webhook(url="http://crm.example/", allow_http=True).allow_http


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("ftp://x.example/h", "expected https:// and a host"),
        ("crm.example/h", "expected https:// and a host"),
        ("https:///h", "expected https:// and a host"),
        ("https://x.example:99999/h", "expected https:// and a host"),
        ("https://x.example/a b", "expected https:// and a host"),
        ("https://例.example/", "expected https:// and a host"),
        ("https://me:topsecret@x.example/h", "user and password do not belong into it"),
        ("http://crm.example/h", "use https://, or set allow_http: true"),
        ("http://10.0.0.7/h", "use https://, or set allow_http: true"),
    ],
)
def test_refused_urls_are_not_shown(url: str, message: str) -> None:
    from lifestage.documents import validate
    from lifestage.settings.alerts import Alerts

    with pytest.raises(InputError, match=message) as caught:
        validate(Alerts, {"webhook": {"url": url}}, "shop.yaml: alerts")
    assert "topsecret" not in str(caught.value)
    assert "/h" not in str(caught.value).replace("/hooks/lifestage", "")
