"""All connected sockets: who hears what, and what each operation answers.

`open`, `receive` and `close` are what a connection does; `pump` sends what has become due. All of
it runs on the exchange's clock and without a network.
"""

from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import parse_qs

from openalpha.venue.twin.auth import authenticate_socket
from openalpha.venue.twin.codes import Refused
from openalpha.venue.twin.exchange import Exchange
from openalpha.venue.twin.faults import PUSH_KINDS
from openalpha.venue.twin.sockets.private import messages_of, topic_error
from openalpha.venue.twin.sockets.public import Topic, make_topic
from openalpha.venue.twin.sockets.session import IDLE_MS, Session
from openalpha.venue.twin.sockets.trade import TradeDesk
from openalpha.venue.twin.state import Push
from openalpha.venue.twin.wire import dumps, read_object

__all__ = ["Hub"]

MOST_SPOT_ARGS, MOST_ARGS_CHARACTERS = 10, 21_000
_DCP = {"future": ("linear", "inverse"), "spot": ("spot",), "option": ()}
SECOND_MS = 1_000


class Hub:
    """The sockets of one exchange.

    Parameters
    ----------
    exchange : Exchange
    """

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.sessions: dict[int, Session] = {}
        self._topics: dict[tuple[str, str], tuple[Topic, dict[int, Session]]] = {}
        self._accounts: dict[int, dict[int, Session]] = {}
        self._heard: dict[int, set[str]] = {}
        self._dead_since: dict[tuple[int, str], int] = {}
        self._fired: dict[tuple[int, str], int] = {}
        self._trade = TradeDesk(exchange)
        self._count = 0
        self._looked_ms = 0
        self._late: list[tuple[int, Push]] = []
        exchange.on_socket_fault = self.strike

    # connections

    def open(self, path: str, *, query: str = "", peer: str = "") -> Session | None:
        """Connect a socket; None where there is none at that path, or its address has too many."""
        parts = path.strip("/").split("/")
        family = parts[1] if len(parts) > 1 and parts[0] == "v5" else ""
        category = parts[2] if family == "public" and len(parts) == 3 else ""
        if family == "public" and category not in ("linear", "inverse", "spot", "option"):
            return None
        if family not in ("public", "private", "trade") or (family != "public" and len(parts) > 2):
            return None
        now_ms = self.exchange.now_ms()
        if not self.exchange.limits.admits_socket(peer, now_ms):
            return None
        self._count += 1
        session = Session(self._count, family, category, peer, now_ms, now_ms)
        session.idle_ms = _idle_ms(query)
        self.sessions[session.number] = session
        return session

    def close(self, session: Session) -> None:
        """Forget a connection that has ended."""
        session.is_closed = True
        self.sessions.pop(session.number, None)
        if session.account is not None:
            for product in _DCP:
                key = (session.account.number, product)
                if f"dcp.{product}" in session.topics:
                    self._dead_since[key] = max(self._dead_since.get(key, -1), session.seen_ms)
        for name in list(session.topics):
            self._leave(session, name)
        if session.account is not None:
            self._accounts.get(session.account.number, {}).pop(session.number, None)
            self._hear(session)

    def _hear(self, session: Session) -> None:
        """Note what an account's sockets listen for: nothing else need be written."""
        assert session.account is not None, "asked for private sockets"
        number = session.account.number
        names = {name for one in self._accounts.get(number, {}).values() for name in one.topics}
        self._heard[number] = names
        self.exchange.state.audience[number] = {name.partition(".")[0] for name in names}

    def _leave(self, session: Session, name: str) -> None:
        session.topics.pop(name, None)
        entry = self._topics.get((session.category, name))
        if entry is not None:
            entry[1].pop(session.number, None)
            if not entry[1]:
                del self._topics[session.category, name]

    # what a client says

    def receive(self, session: Session, text: str | bytes) -> None:
        """Take a message of a client."""
        self.exchange.advance()
        session.seen_ms = self.exchange.now_ms()
        message = read_object(text)
        if message is None:
            session.say({"success": False, "ret_msg": "JSON error", "conn_id": session.conn_id})
            return
        op = str(message.get("op") or "")
        if op == "ping":
            self._pong(session, message)
        elif op == "auth" and session.family != "public":
            self._authenticate(session, message)
        elif session.family == "trade":
            self._trade.answer(session, message)
        elif op in ("subscribe", "unsubscribe"):
            self._subscribe(session, message, joins=op == "subscribe")
        else:
            self._say(session, message, op, error="error:unknown op")

    def _pong(self, session: Session, message: dict[str, Any]) -> None:
        stamp = str(self.exchange.now_ms())
        if session.family == "trade":
            session.say({"retCode": 0, "op": "pong", "data": [stamp], "connId": session.conn_id})
        elif session.family == "private":
            pong = {"op": "pong", "args": [stamp], "conn_id": session.conn_id}
            if "req_id" in message:
                pong["req_id"] = message["req_id"]
            session.say(pong)
        else:
            session.say(
                {
                    "success": True,
                    "ret_msg": "pong",
                    "conn_id": session.conn_id,
                    "req_id": message.get("req_id", ""),
                    "op": "ping",
                }
            )

    def _authenticate(self, session: Session, message: dict[str, Any]) -> None:
        args = message.get("args")
        code, text = 0, "OK" if session.family == "trade" else ""
        try:
            if session.account is not None:
                raise Refused(20001, "Repeat auth")
            wanted = list(args) if isinstance(args, list) else []
            now_ms = self.exchange.now_ms() + self.exchange.state.skew_ms
            account, session.key = authenticate_socket(
                self.exchange.state.accounts, wanted, now_ms=now_ms, peer=session.peer
            )
            session.account = account
            if session.family == "private":
                self._accounts.setdefault(account.number, {})[session.number] = session
        except Refused as refused:
            code, text = refused.code, refused.message
        answer: dict[str, Any] = {"op": "auth", "retCode": code, "retMsg": text}
        answer["connId"] = session.conn_id
        if session.family == "private":
            answer.update(success=code == 0, ret_msg=text, conn_id=session.conn_id)
        if "req_id" in message:
            answer["req_id"] = message["req_id"]
        if "reqId" in message:
            answer["reqId"] = message["reqId"]
        session.say(answer)

    def _subscribe(self, session: Session, message: dict[str, Any], *, joins: bool) -> None:
        args = message.get("args")
        names = [str(name) for name in args] if isinstance(args, list) else []
        op = str(message["op"])
        error = self._refusal(session, names)
        if error:
            self._say(session, message, op, error=error)
            return
        told = []
        for name in names:
            if not joins:
                self._leave(session, name)
                if session.family == "private":
                    self._hear(session)
            elif session.family == "private":
                session.topics[name] = None
                self._hear(session)
            else:
                told.append(self._join(session, name))
        self._say(session, message, op)
        for topic in told:
            first = topic.snapshot(self.exchange.state)
            if first is not None:
                session.say(first)

    def _refusal(self, session: Session, names: list[str]) -> str:
        """Return why topics cannot be had, or nothing."""
        if not names:
            return "error:args is empty"
        if session.family == "private":
            if session.account is None:
                return "Request not authorized"
            return topic_error(names)
        if session.category == "spot" and len(names) > MOST_SPOT_ARGS:
            return f"args size >{MOST_SPOT_ARGS}"
        if sum(map(len, names)) > MOST_ARGS_CHARACTERS:
            return "args exceed 21000 characters"
        for name in names:
            if make_topic(self.exchange.state, session.category, name=name) is None:
                return f"error:handler not found,topic:{name}"
        return ""

    def _join(self, session: Session, name: str) -> Topic:
        key = (session.category, name)
        if key not in self._topics:
            topic = make_topic(self.exchange.state, session.category, name=name)
            assert topic is not None, "looked for before"
            self._topics[key] = (topic, {})
        topic, members = self._topics[key]
        members[session.number] = session
        session.topics[name] = None
        return topic

    def _say(self, session: Session, message: dict[str, Any], op: str, *, error: str = "") -> None:
        """Answer a subscription."""
        text = error or ("subscribe" if session.category == "spot" else "")
        answer = {"success": not error, "ret_msg": text, "conn_id": session.conn_id, "op": op}
        if "req_id" in message:
            answer["req_id"] = message["req_id"]
        elif session.family == "public":
            answer["req_id"] = ""
        session.say(answer)

    # what the venue says

    def publish(self, pushes: Iterable[Push]) -> None:
        """Tell accounts' private sockets what happened to them, unless a fault is in the way."""
        self._tell(self._after_faults(pushes))

    def _tell(self, pushes: Iterable[Push]) -> None:
        for push in pushes:
            sessions = self._accounts.get(push.account)
            if not sessions:
                continue
            heard = self._heard.get(push.account, set())
            for topic, message in messages_of(self.exchange.state, push, heard=heard):
                text = dumps(message)
                for session in list(sessions.values()):
                    if topic in session.topics:
                        session.send(text)

    def _after_faults(self, pushes: Iterable[Push]) -> Iterator[Push]:
        """Yield pushes as faults leave them: missed, doubled, late or in the wrong order."""
        if not self.exchange.faults.rules:
            yield from pushes
            return
        held: list[Push] = []
        now_ms = self.exchange.state.now_ms
        for push in pushes:
            uid = str(self.exchange.state.accounts.rows[push.account].uid)
            rule = self.exchange.faults.strike(PUSH_KINDS, push.topic, uid=uid, ts_ms=now_ms)
            kind = "" if rule is None else rule.kind
            if rule is not None and kind == "delay_push":
                self._late.append((now_ms + rule.size_ms, push))
            elif kind == "reverse_push":
                held.append(push._replace(rows=push.rows[::-1]))
            elif kind != "miss_push":
                yield push
                if kind == "duplicate_push":
                    yield push
        # What is out of order comes after everything else, the last first.
        yield from reversed(held)

    def strike(self, kind: str, family: str) -> int:
        """Let a fault strike the sockets of a family (empty: all); returns how many it struck.

        half_open: they stay connected and hear nothing any more; close_sockets: they are cut;
        restart: all are cut, every public topic begins anew, and orders that have closed are told
        by the history alone.
        """
        chosen = [one for one in self.sessions.values() if family in ("", one.family)]
        for session in chosen:
            if kind == "half_open":
                session.is_mute = True
            else:
                session.close()
        if kind == "restart":
            for topic, _ in self._topics.values():
                topic.reset()
            for record in self.exchange.state.records:
                record.before = dict(record.ended)
        return len(chosen)

    def pump(self) -> None:
        """Send what is due on public topics; cut idle sockets; act for accounts gone silent."""
        state = self.exchange.state
        now_ms = state.now_ms
        due = [push for at_ms, push in self._late if at_ms <= now_ms]
        if due:
            self._late = [late for late in self._late if late[0] > now_ms]
            self._tell(due)
        for topic, members in list(self._topics.values()):
            if now_ms < topic.due_ms:
                continue
            topic.due_ms = now_ms - now_ms % topic.period_ms + topic.period_ms
            for message in topic.news(state):
                text = dumps(message)
                for session in list(members.values()):
                    session.send(text)
        if now_ms - self._looked_ms >= SECOND_MS:
            self._looked_ms = now_ms
            for session in list(self.sessions.values()):
                if now_ms - session.seen_ms > session.idle_ms:
                    session.close()
            self._watch_silence(now_ms)

    def _watch_silence(self, now_ms: int) -> None:
        """Cancel all orders of accounts whose sockets for it have been dead too long (DCP)."""
        for account in self.exchange.state.accounts:
            for product, window_s in account.dcp_window_s.items():
                key = (account.number, product)
                listening = [
                    one
                    for one in self._accounts.get(account.number, {}).values()
                    if f"dcp.{product}" in one.topics
                ]
                heard = [one.seen_ms for one in listening]
                since_ms = max([self._dead_since.get(key, -1), *heard])
                self._dead_since[key] = since_ms
                is_silent = since_ms >= 0 and now_ms - since_ms >= window_s * SECOND_MS
                # Once for each silence: what is ordered in it, by REST, stays.
                if is_silent and self._fired.get(key) != since_ms:
                    self._fired[key] = since_ms
                    self.exchange.arrange(
                        "/twin/dcp", {"uid": str(account.uid), "categories": list(_DCP[product])}
                    )


def _idle_ms(query: str) -> int:
    """Return how long a socket may be silent: `max_active_time=30s` up to 600s."""
    text = parse_qs(query).get("max_active_time", [""])[0]
    number, unit = text[:-1], text[-1:]
    if not number.isdigit() or unit not in ("s", "m"):
        return IDLE_MS
    return min(max(int(number) * (60_000 if unit == "m" else SECOND_MS), 30_000), IDLE_MS)
