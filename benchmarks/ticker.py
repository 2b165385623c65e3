"""A public socket that sends the bars it is told to, and a clock that passes between them."""

import json
import subprocess
import sys
import threading
import time
from typing import Any

__all__ = ["Minutes", "Ticker"]

TOLD_AFTER_S = 0.3


class Ticker:
    """A public socket in a process of its own, as an exchange's is; it sends what it is told to."""

    def __init__(self) -> None:
        call = [sys.executable, "-m", "benchmarks.ticker"]
        self._process = subprocess.Popen(
            call, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.url = f"http://127.0.0.1:{self._line()}"

    def send(self, start_ms: int, close: int) -> float:
        """Send a closed bar; returns when, once what follows from it is long over."""
        assert self._process.stdin is not None
        row = {name: str(close) for name in ("open", "high", "low", "close")}
        data = {"start": start_ms, "volume": "1", "confirm": True, **row}
        text = json.dumps({"topic": "kline.1.BTCUSDT", "data": [data]})
        print(text, file=self._process.stdin, flush=True)
        return float(self._line())

    def close(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait(timeout=30)

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()


def _tick() -> None:
    """Be the ticker: a line in, a message out at once; its time is told a little later."""
    from websockets.sync.server import serve

    listener: Any = None
    listens = threading.Event()

    def listen(socket: Any) -> None:
        nonlocal listener
        for text in socket:
            if "subscribe" in text:
                listener = socket
                listens.set()

    server = serve(listen, "127.0.0.1", 0)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.socket.getsockname()[1], flush=True)
    for line in sys.stdin:
        assert listens.wait(30)
        # The message whole, in one call: what is measured begins where its last byte is there.
        body = line.strip().encode()
        frame = bytes([0x81, 126]) + len(body).to_bytes(2, "big") + body
        begun = time.perf_counter()
        listener.socket.sendall(frame)
        time.sleep(TOLD_AFTER_S)
        print(begun, flush=True)


class Minutes:
    """The machine's time, moved on between bars: around a close it passes as it does."""

    is_lockstep = False

    def __init__(self) -> None:
        self._ahead_ms = 0

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000 + self._ahead_ms

    def skip_to(self, now_ms: int) -> None:
        """Be at a moment to come."""
        self._ahead_ms += max(0, now_ms - self.now_ms())

    def wait(self, by_ms: int) -> None:
        """Sleep."""
        time.sleep(by_ms / 1000)


if __name__ == "__main__":
    _tick()
