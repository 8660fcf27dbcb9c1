# SPDX-License-Identifier: Apache-2.0
"""A small VICI client of our own, on blocking sockets. Written from the description of the
protocol, sharing no code with the daemon; `send` takes any bytes, also wrong ones."""
import socket
import struct
from collections import OrderedDict

(CMD_REQUEST, CMD_RESPONSE, CMD_UNKNOWN, EVENT_REGISTER, EVENT_UNREGISTER, EVENT_CONFIRM, EVENT_UNKNOWN,
 EVENT) = range(8)
SECTION_START, SECTION_END, KEY_VALUE, LIST_START, LIST_ITEM, LIST_END = range(1, 7)


class ViciError(Exception):
    pass


def _name(name):
    name = name.encode()
    return struct.pack("!B", len(name)) + name


def _value(value):
    if isinstance(value, bool):
        value = "yes" if value else "no"
    value = value if isinstance(value, bytes) else str(value).encode()
    return struct.pack("!H", len(value)) + value


def encode(message):
    out = b""
    for key, value in message.items():
        if isinstance(value, dict):
            out += bytes([SECTION_START]) + _name(key) + encode(value) + bytes([SECTION_END])
        elif isinstance(value, (list, tuple)):
            out += bytes([LIST_START]) + _name(key)
            out += b"".join(bytes([LIST_ITEM]) + _value(item) for item in value) + bytes([LIST_END])
        else:
            out += bytes([KEY_VALUE]) + _name(key) + _value(value)
    return out


class _Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, n):
        if self.at + n > len(self.data):
            raise ViciError("message is cut off")
        self.at += n
        return self.data[self.at - n:self.at]

    def name(self):
        return self.take(self.take(1)[0]).decode()

    def value(self):
        return self.take(struct.unpack("!H", self.take(2))[0]).decode(errors="surrogateescape")


def _section(reader, depth):
    out = OrderedDict()
    while reader.at < len(reader.data):
        kind = reader.take(1)[0]
        if kind == SECTION_END and depth:
            return out
        key = reader.name() if kind in (SECTION_START, KEY_VALUE, LIST_START) else None
        if key in out:
            raise ViciError("twice in a section: " + key)
        if kind == SECTION_START:
            out[key] = _section(reader, depth + 1)
        elif kind == KEY_VALUE:
            out[key] = reader.value()
        elif kind == LIST_START:
            out[key] = _list(reader)
        else:
            raise ViciError("element %d is not possible here" % kind)
    if depth:
        raise ViciError("a section is not closed")
    return out


def _list(reader):
    items = []
    while True:
        kind = reader.take(1)[0]
        if kind == LIST_END:
            return items
        if kind != LIST_ITEM:
            raise ViciError("element %d in a list" % kind)
        items.append(reader.value())


def decode(data):
    return _section(_Reader(data), 0)


class Client:
    def __init__(self, path, limit=20):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(limit)
        try:
            self.sock.connect(path)
        except OSError:
            self.sock.close()
            raise
        self.events = []  # those that came while something else was awaited

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()

    # ---- packets -----------------------------------------------------------------------------

    def send(self, data):
        """A segment with this content, whatever it is."""
        self.sock.sendall(struct.pack("!I", len(data)) + data)

    def _exactly(self, n):
        data = b""
        while len(data) < n:
            part = self.sock.recv(n - len(data))
            if not part:
                raise ConnectionResetError("the daemon closed the connection")
            data += part
        return data

    def receive(self):
        """(type, name or None, message or None) of the next packet."""
        data = self._exactly(struct.unpack("!I", self._exactly(4))[0])
        kind, body = data[0], data[1:]
        if kind == EVENT:
            n = body[0]
            return kind, body[1:1 + n].decode(), decode(body[1 + n:])
        return kind, None, decode(body) if kind == CMD_RESPONSE else None

    def _answer(self):
        while True:
            kind, name, message = self.receive()
            if kind != EVENT:
                return kind, message
            self.events.append((name, message))

    # ---- commands and events -----------------------------------------------------------------

    def request(self, command, message=None):
        self.send(bytes([CMD_REQUEST]) + _name(command) + encode(message or {}))
        kind, reply = self._answer()
        if kind == CMD_UNKNOWN:
            raise ViciError("unknown command: " + command)
        if kind != CMD_RESPONSE:
            raise ViciError("%s: packet of type %d" % (command, kind))
        return reply

    def call(self, command, message=None):
        """As request; a reply that says success = no raises."""
        reply = self.request(command, message)
        if reply.get("success", "yes") != "yes":
            raise ViciError(reply["errmsg"])
        return reply

    def register(self, event, on=True):
        self.send(bytes([EVENT_REGISTER if on else EVENT_UNREGISTER]) + _name(event))
        kind, _ = self._answer()
        if kind != EVENT_CONFIRM:
            raise ViciError("event %s: packet of type %d" % (event, kind))

    def stream(self, command, event, message=None):
        """The events that a command sends before it ends."""
        self.register(event)
        before, self.events = self.events, []
        self.call(command, message)
        found = [body for name, body in self.events if name == event]
        self.events = before + [item for item in self.events if item[0] != event]
        self.register(event, False)
        return found

    def event(self, *names):
        """The next event of one of these names, waited for."""
        for index, (name, body) in enumerate(self.events):
            if name in names:
                del self.events[index]
                return name, body
        while True:
            kind, name, body = self.receive()
            if kind == EVENT and name in names:
                return name, body
            if kind != EVENT:
                raise ViciError("packet of type %d while waiting for an event" % kind)
            self.events.append((name, body))
