"""Who may ask what, how often, and what the answer's envelope says."""

import base64
import json

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from openalpha.venue.twin import Exchange, Request
from openalpha.venue.twin.sockets import Hub
from tests.fakes.twin import LINEAR, START_MS, Client, Refusal, admin, new_exchange, sign, wait

INFO = "/v5/account/info"


@pytest.fixture
def venue() -> Exchange:
    return new_exchange()


def ask(venue: Exchange, headers: dict[str, str], **more: str) -> dict[str, object]:
    request = Request("GET", INFO, headers={k.lower(): v for k, v in headers.items()}, **more)  # type: ignore[arg-type]
    answer: dict[str, object] = json.loads(venue.request(request).body)
    return answer


def keys(client: Client) -> dict[str, str]:
    return {"api_key": client.key, "api_secret": client.secret}


@pytest.mark.parametrize(
    ("late_ms", "code"),
    [(0, 0), (5_000, 0), (5_001, 10002), (-999, 0), (-1_000, 10002)],
)
def test_the_time_window_is_as_documented(venue: Exchange, late_ms: int, code: int) -> None:
    me = Client.of(venue)
    stamp = str(venue.now_ms() - late_ms)
    assert ask(venue, sign(keys(me), "", stamp))["retCode"] == code


def test_keys_and_signatures_are_checked(venue: Exchange) -> None:
    me = Client.of(venue)
    stamp = str(venue.now_ms())
    assert ask(venue, sign(keys(me), "", stamp))["retCode"] == 0
    assert ask(venue, sign({**keys(me), "api_key": "other"}, "", stamp))["retCode"] == 10003
    assert ask(venue, sign({**keys(me), "api_secret": "other"}, "", stamp))["retCode"] == 10004
    assert ask(venue, {})["retCode"] == 10001
    assert ask(venue, sign(keys(me), "", "soon"))["retCode"] == 10001


def test_the_body_is_signed_as_it_was_sent(venue: Exchange) -> None:
    me = Client.of(venue)
    body = '{ "category":"linear",  "symbol":"BTCUSDT", "buyLeverage":"3", "sellLeverage":"3" }'
    assert me.request("POST", "/v5/position/set-leverage", body=body.encode())["retCode"] == 0


def test_an_rsa_key_signs_in_base64(venue: Exchange) -> None:
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    made = admin(venue, "/twin/accounts", balances={}, rsa_public_key=pem.decode())
    stamp = str(venue.now_ms())
    text = f"{stamp}{made['api_key']}5000".encode()
    signed = private.sign(text, padding.PKCS1v15(), hashes.SHA256())
    headers = sign({"api_key": made["api_key"], "api_secret": ""}, "", stamp)
    headers["X-BAPI-SIGN"] = base64.b64encode(signed).decode()
    assert ask(venue, headers)["retCode"] == 0
    headers["X-BAPI-SIGN"] = base64.b64encode(signed[::-1]).decode()
    assert ask(venue, headers)["retCode"] == 10004
    with pytest.raises(Refusal):
        admin(venue, "/twin/accounts", balances={}, rsa_public_key="no key")


def test_expired_bound_and_read_only_keys(venue: Exchange) -> None:
    limited = {"ips": ["10.0.0.1"]}
    for more, path, code in (
        ({"expires_ms": START_MS + 1_000}, INFO, 33004),
        (limited, INFO, 10010),
        ({"read_only": True}, "/v5/order/cancel-all", 10005),
    ):
        made = admin(venue, "/twin/accounts", balances={}, **more)
        me = Client(venue, made["api_key"], made["api_secret"])
        wait(venue, 2_000)
        method = "GET" if path == INFO else "POST"
        answer = me.request(method, path, body=b"{}" if method == "POST" else b"")
        assert answer["retCode"] == code
    made = admin(venue, "/twin/accounts", balances={}, withdraw=True)
    me = Client(venue, made["api_key"], made["api_secret"])
    assert "Withdraw" in me.get("/v5/user/query-api")["permissions"]["Wallet"]
    admin(venue, "/twin/keys/revoke", api_key=me.key)
    assert me.request("GET", INFO)["retCode"] == 10003


def test_the_rolling_second_of_an_endpoint(venue: Exchange) -> None:
    me = Client.of(venue)
    admin(venue, "/twin/limits", lifted=False)
    codes = [me.request("POST", "/v5/order/cancel", body=b"{}")["retCode"] for _ in range(12)]
    assert codes == [10001] * 10 + [10006] * 2
    assert me.last is not None
    assert me.last.headers["X-Bapi-Limit"] == "10"
    spot = json.dumps({"category": "spot"}).encode()
    assert me.request("POST", "/v5/order/cancel", body=spot)["retCode"] == 10001
    assert me.last.headers["X-Bapi-Limit-Status"] == "19", "spot counts apart"
    assert int(me.last.headers["X-Bapi-Limit-Reset-Timestamp"]) == venue.now_ms()
    me.request("POST", "/v5/order/cancel", body=b"{}")
    assert me.last.headers["X-Bapi-Limit-Status"] == "0"
    assert int(me.last.headers["X-Bapi-Limit-Reset-Timestamp"]) == venue.now_ms() + 1_000
    assert me.request("GET", INFO)["retCode"] == 0, "another endpoint has a limit of its own"
    wait(venue, 1_000)
    assert me.request("POST", "/v5/order/cancel", body=b"{}")["retCode"] == 10001


def test_the_surplus_of_a_batch_fails_by_itself(venue: Exchange) -> None:
    me = Client.of(venue)
    admin(venue, "/twin/limits", lifted=False)
    item = {"symbol": "BTCUSDT", "side": "Buy", "orderType": "Limit", "qty": "0.01"}
    items = [{**item, "price": "50000"}] * 14
    body = json.dumps({"category": "linear", "request": items}).encode()
    answer = me.request("POST", "/v5/order/create-batch", body=body)
    assert [row["code"] for row in answer["retExtInfo"]["list"]] == [0] * 10 + [10006] * 4


def test_too_many_requests_of_an_address_ban_it_for_ten_minutes(venue: Exchange) -> None:
    admin(venue, "/twin/limits", lifted=False)
    request = Request("GET", "/v5/market/time")
    statuses = [venue.request(request).status for _ in range(601)]
    assert statuses == [200] * 600 + [403]
    wait(venue, 599_000)
    assert venue.request(request).status == 403
    wait(venue, 2_000)
    assert venue.request(request).status == 200


def test_so_many_sockets_an_address_opens_in_five_minutes(venue: Exchange) -> None:
    hub = Hub(venue)
    admin(venue, "/twin/limits", lifted=False)
    opened = [hub.open("/v5/public/linear", peer="10.0.0.1") for _ in range(501)]
    assert None not in opened[:500] and opened[500] is None
    assert hub.open("/v5/public/linear", peer="10.0.0.2") is not None
    wait(venue, 300_000)
    assert hub.open("/v5/public/linear", peer="10.0.0.1") is not None


@pytest.mark.parametrize("path", ["/v5/order/nonsense", "/v6/market/time", "/", "/twin/nothing"])
def test_an_unknown_address_is_named_so(venue: Exchange, path: str) -> None:
    reply = venue.request(Request("GET", path))
    assert reply.status == 404
    assert b"10017" in reply.body


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'"x"', b"\xff\xfe", b"null", b"1"])
def test_bodies_of_any_kind_are_answered(venue: Exchange, body: bytes) -> None:
    me = Client.of(venue)
    headers = {k.lower(): v for k, v in sign(keys(me), "", str(venue.now_ms())).items()}
    for path in ("/v5/order/create", "/v5/order/create-batch", "/twin/accounts", "/twin/faults"):
        reply = venue.request(Request("POST", path, body=body, headers=headers))
        assert reply.status in (200, 400)


def test_a_skewed_clock_shows_everywhere(venue: Exchange) -> None:
    me = Client.of(venue)
    admin(venue, "/twin/faults", kind="clock_skew", size_ms=60_000)
    assert me.request("GET", INFO)["retCode"] == 10002
    answer = json.loads(venue.request(Request("GET", "/v5/market/time")).body)
    assert answer["time"] == venue.now_ms() + 60_000
    assert answer["result"]["timeNano"] == f"{venue.now_ms() + 60_000}000000"


def test_public_addresses_need_no_key(venue: Exchange) -> None:
    for path in ("time", "tickers", "orderbook", "recent-trade", "risk-limit", "price-limit"):
        query = "category=linear&symbol=BTCUSDT"
        answer = json.loads(venue.request(Request("GET", f"/v5/market/{path}", query)).body)
        assert answer["retCode"] == 0, path
    me = Client.of(venue)
    assert len(me.get("/v5/market/kline", **LINEAR, interval="D")["list"]) == 1
    with pytest.raises(Refusal):
        me.get("/v5/market/kline", **LINEAR, interval="2")
