"""A TCP proxy on loopback for tests of network failures: forwards, stalls, or drops what goes through it."""

import selectors
import socket
import threading

_CHUNK_BYTES = 65536


class Proxy:
    """Forwards connections to host:port from a loopback port of its own, `.port`.

    stall()    connections stay open and new ones are accepted, but no byte moves until forward()
    drop()     every open connection is reset now; later ones work (in the mode that is set)
    refuse()   open connections are reset and each new one is reset at once, until forward()
    forward()  back to normal; bytes held back by stall() are delivered

    drop_after(n) resets every connection once it carried n more bytes to the client (or, upstream=True, to the
    server): an answer, or a request, that is cut in the middle. None of them waits: the effect is under way when the
    call returns.
    """

    def __init__(self, port, host="127.0.0.1", listen_port=0):
        self._target = (host, port)
        self._listener = socket.create_server(("127.0.0.1", listen_port))
        self._listener.setblocking(False)
        self.port = self._listener.getsockname()[1]
        self._mode = "forward"
        self._pairs = {}
        self._orders = []
        self._budget = {}
        self._lock = threading.Lock()
        self._wake_in, self._wake_out = socket.socketpair()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._wake_out, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)
        self._thread.start()

    def set_target(self, port, host="127.0.0.1"):
        """For new connections."""
        self._target = (host, port)

    def forward(self):
        self._order("forward")

    def stall(self):
        self._order("stall")

    def drop(self):
        self._order("drop")

    def refuse(self):
        self._order("refuse")

    def drop_after(self, bytes_, upstream=False):
        self._order(("upstream" if upstream else "downstream", bytes_))

    def connections(self):
        """Open ones now."""
        return len(self._pairs) // 2

    def close(self):
        self._order("close")
        self._thread.join()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()

    def _order(self, order):
        done = threading.Event()
        with self._lock:
            self._orders.append((order, done))
        self._wake_in.send(b".")
        done.wait(10)

    def _run(self):
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._wake_out:
                    if not self._obey():
                        return
                elif key.fileobj is self._listener:
                    self._accept()
                elif key.fileobj in self._pairs and self._mode == "forward":
                    self._move(key.fileobj)

    def _obey(self):
        self._wake_out.recv(4096)
        with self._lock:
            orders, self._orders = self._orders, []
        closing = False
        for order, done in orders:
            if isinstance(order, tuple):
                self._budget[order[0]] = order[1]
            elif order in ("drop", "refuse", "close"):
                for end in list(self._pairs):
                    self._reset(end)
            if order in ("forward", "stall", "refuse"):
                self._set_mode(order)
            if order == "close":
                closing = True
                for end in (self._listener, self._wake_in, self._wake_out):
                    end.close()
                self._selector.close()
            done.set()
        return not closing

    def _set_mode(self, mode):
        """Stalled ends leave the selector, which would otherwise spin on what they have to read."""
        if (mode == "stall") != (self._mode == "stall"):
            for end in self._pairs:
                if mode == "stall":
                    self._selector.unregister(end)
                else:
                    self._selector.register(end, selectors.EVENT_READ)
        self._mode = mode
        if mode == "forward":
            self._budget.clear()

    def _accept(self):
        client, _ = self._listener.accept()
        if self._mode == "refuse":
            _abort(client)
            return
        try:
            server = socket.create_connection(self._target, timeout=5)
        except OSError:
            _abort(client)
            return
        for end, other in ((client, server), (server, client)):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            end.settimeout(10)
            self._pairs[end] = (other, "upstream" if end is client else "downstream")
            if self._mode != "stall":
                self._selector.register(end, selectors.EVENT_READ)

    def _move(self, end):
        other, direction = self._pairs[end]
        left = self._budget.get(direction)
        try:
            data = end.recv(_CHUNK_BYTES if left is None else max(1, min(left, _CHUNK_BYTES)))
            if data:
                other.sendall(data)
        except OSError:
            data = b""
        if not data:
            self._close(end)
        elif left is not None:
            self._budget[direction] = left - len(data)
            if left <= len(data):
                del self._budget[direction]
                for open_end in list(self._pairs):
                    self._reset(open_end)

    def _reset(self, end):
        for one in self._forget(end):
            _abort(one)

    def _close(self, end):
        for one in self._forget(end):
            one.close()

    def _forget(self, end):
        if end not in self._pairs:
            return ()
        other = self._pairs.pop(end)[0]
        self._pairs.pop(other, None)
        for one in (end, other):
            if self._mode != "stall":
                self._selector.unregister(one)
        return end, other


def _abort(connection):
    """Closes with RST, as a broken network or a killed peer shows itself."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    connection.close()
