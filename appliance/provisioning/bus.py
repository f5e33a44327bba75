"""The machine's own services over D-Bus: one question, one answer, by dbus-fast.

Nothing else imports dbus-fast, and this file is imported only where a machine's services are to be asked.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from dbus_fast import BusType, DBusError, Message, MessageType, Variant
from dbus_fast.aio import MessageBus
from dbus_fast.errors import AuthError, InvalidAddressError

SECONDS = 25.0
"""How long an answer may take, as D-Bus itself has it."""

Listener = Callable[[str, str, list[Any]], None]
"""Gets path, member and values of a signal."""


class BusError(Exception):
    """No answer, or an error as one: ``name`` is that of D-Bus, "" when nobody answered."""

    def __init__(self, text: str, name: str = "") -> None:
        super().__init__(text)
        self.name = name

    @property
    def refused(self) -> bool:
        """Whether this user may not do it."""
        return self.name.endswith((".AccessDenied", ".PermissionDenied", ".NotAuthorized"))

    @property
    def gone(self) -> bool:
        """Whether what was asked for is not there (any more)."""
        return self.name.endswith((".UnknownObject", ".UnknownMethod", ".UnknownInterface", ".UnknownConnection"))


@dataclass(slots=True)
class Bus:
    """The system's bus. It connects when it is first asked, and anew when the connection was lost."""

    address: str | None = None
    """None: where the system has it, or ``DBUS_SYSTEM_BUS_ADDRESS``."""
    listener: Listener | None = None
    _rules: list[str] = field(default_factory=list)
    _bus: MessageBus | None = None
    _connecting: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def listen(self, rule: str) -> None:
        """Have signals that match ``rule`` given to the listener, also after the connection was lost.

        :raises BusError: nobody answers.
        """
        bus = await self._connected()
        if rule not in self._rules:
            await self._match(bus, rule)
            self._rules.append(rule)

    async def call(self, service: str, path: str, method: str, signature: str = "", *values: Any) -> list[Any]:
        """Call ``interface.Method`` of a service's object; gives what it answers.

        :raises BusError: it refuses, fails, or does not answer in time.
        """
        interface, _, member = method.rpartition(".")
        message = Message(service, path, interface, member, signature=signature, body=list(values))
        bus = await self._connected()
        return await self._answer(bus, message)

    async def properties(self, service: str, path: str, interface: str) -> Mapping[str, Any]:
        """All properties of one interface, plain.

        :raises BusError: as :meth:`call`.
        """
        answer = await self.call(service, path, "org.freedesktop.DBus.Properties.GetAll", "s", interface)
        return {name: plain(value) for name, value in answer[0].items()}

    async def set(self, service: str, path: str, interface: str, name: str, signature: str, value: object) -> None:
        """Set a property.

        :raises BusError: as :meth:`call`.
        """
        given = variant(signature, value)
        await self.call(service, path, "org.freedesktop.DBus.Properties.Set", "ssv", interface, name, given)

    async def close(self) -> None:
        """Leave the bus."""
        if self._bus is not None:
            bus, self._bus = self._bus, None
            bus.disconnect()

    async def _connected(self) -> MessageBus:
        async with self._connecting:
            if self._bus is not None and self._bus.connected:
                return self._bus
            try:
                bus = MessageBus(self.address, BusType.SYSTEM)
                async with asyncio.timeout(SECONDS):
                    await bus.connect()
            except (OSError, EOFError, TimeoutError, AuthError, InvalidAddressError) as error:
                raise BusError(f"the system's D-Bus is not there ({str(error) or type(error).__name__})") from error
            bus.add_message_handler(self._heard)
            self._bus = bus
            for rule in self._rules:
                await self._match(bus, rule)
            return bus

    async def _match(self, bus: MessageBus, rule: str) -> None:
        name = "org.freedesktop.DBus"
        await self._answer(bus, Message(name, "/org/freedesktop/DBus", name, "AddMatch", signature="s", body=[rule]))

    async def _answer(self, bus: MessageBus, message: Message) -> list[Any]:
        try:
            async with asyncio.timeout(SECONDS):
                reply = await bus.call(message)
        except (OSError, EOFError, TimeoutError, DBusError) as error:
            raise BusError(f"{message.destination} does not answer") from error
        if reply.message_type is MessageType.ERROR:
            text = str(reply.body[0]) if reply.body else f"{message.destination} refuses"
            raise BusError(text, reply.error_name or "")
        return list(reply.body)

    def _heard(self, message: Message) -> None:
        if self.listener and message.message_type is MessageType.SIGNAL:
            self.listener(message.path or "", message.member or "", message.body)


def variant(signature: str, value: object) -> Any:
    """A value of any type, as D-Bus carries it."""
    return Variant(signature, value)


def plain(value: Any) -> Any:
    """A value without the types that D-Bus keeps beside it."""
    if hasattr(value, "signature"):
        return plain(value.value)
    if isinstance(value, Mapping):
        return {key: plain(each) for key, each in value.items()}
    return [plain(each) for each in value] if isinstance(value, list) else value
