"""The trade socket: orders by message, answered by message."""

from typing import Any

from openalpha.venue.twin.auth import AHEAD_MS, RECV_WINDOW_MS, known, permit
from openalpha.venue.twin.codes import Refused
from openalpha.venue.twin.exchange import Exchange
from openalpha.venue.twin.handlers.order import BATCHES, Batch
from openalpha.venue.twin.limits import Verdict
from openalpha.venue.twin.sockets.session import Session

__all__ = ["TradeDesk"]

_PATHS = {
    f"order.{name}": f"/v5/order/{name}"
    for name in ("create", "amend", "cancel", "create-batch", "amend-batch", "cancel-batch")
}


_FAULTS = ("drop_before", "drop_after", "rate_limited", "busy_before", "busy_after")


class TradeDesk:
    """Answers operations of trade sockets.

    Parameters
    ----------
    exchange : Exchange
    """

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange

    def answer(self, session: Session, message: dict[str, Any]) -> None:
        """Do one operation and say how it went; it is asynchronous as on REST."""
        op, name = str(message.get("op") or ""), message.get("reqId")
        uid = str(session.account.uid) if session.account is not None else ""
        rule = self.exchange.faults.strike(_FAULTS, op, uid=uid, ts_ms=self.exchange.state.now_ms)
        kind = "" if rule is None else rule.kind
        if kind == "drop_before":
            return
        verdict: Verdict | None = None
        ext: dict[str, Any] = {}
        data: dict[str, Any] = {}
        code, text = 0, "OK"
        try:
            if kind in ("rate_limited", "busy_before"):
                raise Refused(10429 if kind == "rate_limited" else 10016, "Server error.")
            path, params = self._checked(session, message)
            assert session.account is not None, "checked before"
            verdict = self.exchange.count(session.account, path, params=params)
            if not verdict.is_allowed:
                raise Refused(10429, "Too many visits. Exceeded the API Rate Limit.")
            data = self.exchange.write(session.account, path, params=params)
            if isinstance(data, Batch):
                ext = data.ext
            if kind == "busy_after":
                raise Refused(10016, "Server error.")
        except Refused as refused:
            code, text = refused.code, refused.message
        if kind == "drop_after":
            return
        answer: dict[str, Any] = {
            "retCode": code,
            "retMsg": text,
            "op": op,
            "data": data,
            "retExtInfo": ext,
            "header": {
                **(verdict.headers() if verdict else {}),
                "Traceid": f"{session.conn_id}-{len(session.requests)}",
                "Timenow": str(self.exchange.now_ms() + self.exchange.state.skew_ms),
            },
            "connId": session.conn_id,
        }
        if name is not None:
            answer["reqId"] = name
        session.say(answer)

    def _checked(self, session: Session, message: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """Return path and parameters of an operation that may be done.

        Raises
        ------
        Refused
            10404, 10005, 10001, 10002 or 20006.
        """
        op, args = str(message.get("op") or ""), message.get("args")
        if op not in _PATHS:
            raise Refused(10404, "either op type is not found or category is not correct")
        if session.account is None or session.key is None:
            raise Refused(10005, "Permission denied, please authenticate first")
        # A key may end or be taken away while its socket stands.
        now_ms = self.exchange.now_ms() + self.exchange.state.skew_ms
        known(self.exchange.state.accounts, session.key.name, now_ms=now_ms)
        permit(session.key, writes=True)
        if not isinstance(args, list) or len(args) != 1 or not isinstance(args[0], dict):
            raise Refused(10001, "Params Error: args holds one object")
        self._check_time(message.get("header"))
        name = message.get("reqId")
        if name is not None:
            if str(name) in session.requests:
                raise Refused(20006, "Duplicate reqId")
            session.requests.append(str(name))
        params = dict(args[0])
        if params.get("category") not in ("linear", "inverse", "spot", "option"):
            raise Refused(10404, "either op type is not found or category is not correct")
        if _PATHS[op] in BATCHES:
            params.setdefault("request", [])
        return _PATHS[op], params

    def _check_time(self, header: object) -> None:
        fields = header if isinstance(header, dict) else {}
        try:
            stamp = int(fields.get("X-BAPI-TIMESTAMP", ""))
            window = int(fields.get("X-BAPI-RECV-WINDOW") or RECV_WINDOW_MS)
        except (TypeError, ValueError):
            raise Refused(10001, "Params Error: X-BAPI-TIMESTAMP") from None
        now_ms = self.exchange.now_ms() + self.exchange.state.skew_ms
        if not now_ms - window <= stamp < now_ms + AHEAD_MS:
            raise Refused(10002, "invalid request, please check your server timestamp")
