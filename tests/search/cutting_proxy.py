"""A real network between a driver and its PostgreSQL server, which is cut where a test says."""

import contextlib
import socket
import threading


class CuttingProxy:
    """Forwards to `port`. Cuts a connection at those COMMITs, counted from 1, of which `cut`
    says "before" (the server never sees it) or "after" (it has committed, but nobody hears)."""

    def __init__(self, port, cut=lambda number: None):
        self.cut = cut
        self.commits = self.cuts = 0
        self._clients, self._lost = [], set()
        self._target = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._listener.close()

    def lose_clients(self):
        """Its clients find their connections closed; the server hears nothing of it."""
        for client in self._clients:
            self._lost.add(client)
            _close(client)

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._target)
                self._clients.append(client)
                for forward in (self._requests, self._answers):
                    threading.Thread(target=forward, args=(client, server), daemon=True).start()

    def _requests(self, client, server):
        with contextlib.suppress(OSError):
            while data := client.recv(65536):
                where = None
                if b"COMMIT" in data:
                    self.commits += 1
                    where = self.cut(self.commits)
                if where is not None:
                    self.cuts += 1
                    self._cut(client, server, data if where == "after" else b"")
                server.sendall(data)
        if client not in self._lost:
            _close(client, server)

    def _cut(self, client, server, last):
        """No answer reaches the client any more; `last` reaches the server, and is carried out."""
        client.shutdown(socket.SHUT_RDWR)
        server.sendall(last)
        server.shutdown(socket.SHUT_WR)  # It ends once it has read, and done, what came before.
        raise OSError

    def _answers(self, client, server):
        with contextlib.suppress(OSError):
            while data := server.recv(65536):
                with contextlib.suppress(OSError):  # A cut one is read to its end all the same.
                    client.sendall(data)
        _close(client, server)


def _close(*sockets):
    for each in sockets:
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
