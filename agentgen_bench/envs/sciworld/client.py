"""What talks to the JVM: py4j's client, which speaks only when asked to and only in its own process.

Imported with the first JVM, because it needs py4j.
"""

import os
import socket
from collections import deque
from typing import Any, BinaryIO

from py4j.java_gateway import GatewayClient, GatewayParameters, is_fatal_error
from py4j.protocol import (
    ENTRY_POINT_OBJECT_ID,
    GATEWAY_SERVER_OBJECT_ID,
    MEMORY_COMMAND_NAME,
    MEMORY_DEL_SUBCOMMAND_NAME,
    Py4JNetworkError,
)


class PlainClient(GatewayClient):  # type: ignore[misc]
    """Speaks only when asked to, only in its own process, and says a command once.

    py4j's own client repeats commands, which could execute an action twice, and tells the JVM of a freed object
    from wherever Python collects its garbage: in a forked child, before any hook of ours, that is the parent's
    socket, and then the two read each other's answers. Here freed objects wait for the next command.
    """

    def __init__(self, parameters: GatewayParameters) -> None:
        """Create the client of one JVM; it belongs to this process."""
        super().__init__(gateway_parameters=parameters)
        self.owner = os.getpid()
        self.freed: deque[str] = deque()

    def garbage_collect_object(self, target_id: str) -> None:
        """Remember that Python has freed an object; called from wherever garbage is collected."""
        if target_id not in (ENTRY_POINT_OBJECT_ID, GATEWAY_SERVER_OBJECT_ID):
            self.freed.append(target_id)

    def let_go(self) -> None:
        """Tell the JVM now what has been freed, where there is something to tell."""
        if not self.freed or os.getpid() != self.owner:
            return
        connection = self._get_connection()
        try:
            self._tell_freed(connection)
        except Py4JNetworkError:
            connection.close()
            raise
        self._give_back_connection(connection)

    def _tell_freed(self, connection: Any) -> None:
        while self.freed:
            freed = self.freed.popleft()
            connection.send_command(f"{MEMORY_COMMAND_NAME}{MEMORY_DEL_SUBCOMMAND_NAME}{freed}\ne\n")

    def _create_connection(self) -> Any:
        connection = super()._create_connection()
        connection.wr = None  # its callback would shut the socket down, for the parent of a fork too
        connection.stream = _Lines(connection.socket, connection.stream)
        return connection

    def send_command(self, command: str, retry: bool = True, binary: bool = False) -> Any:
        """Return the JVM's answer to one command; raises Py4JNetworkError where there is none."""
        if os.getpid() != self.owner:
            raise Py4JNetworkError("this JVM belongs to the process that this one was forked from")
        connection = self._get_connection()
        try:
            self._tell_freed(connection)
            response = connection.send_command(command)
        except Py4JNetworkError:
            connection.close()
            raise
        if is_fatal_error(response):
            connection.close(False)
        else:
            self._give_back_connection(connection)
        return response


class _Lines:
    """A connection's lines, without the 40 ms that Linux adds to each one longer than the JVM's buffer of 8,192 bytes.

    py4j's Java side sends such a line in two parts. The second waits for the first to be acknowledged (Nagle's
    algorithm), and we, who have nothing to send, acknowledge late (RFC 1122, 4.2.3.2) unless told otherwise, which
    the system forgets with every command sent.
    """

    def __init__(self, connected: socket.socket, stream: BinaryIO) -> None:
        self._socket, self._stream = connected, stream

    def readline(self) -> bytes:
        """Return the next line."""
        if hasattr(socket, "TCP_QUICKACK"):
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        return self._stream.readline()

    def close(self) -> None:
        """Close the stream."""
        self._stream.close()
