"""How a device comes to be known by its host: it shows its key, and where that is not known yet, its one-use token.

Without a token it asks, and waits until somebody who looks after the room lets it in (docs/enrolment.md).
"""

import base64

from appliance.core import protocol
from appliance.core.enrolment import enrolment_text, fingerprint
from appliance.core.reconnect import Fault
from appliance.rooms.device_key import DeviceKey
from appliance.rooms.signalling import Credentials, Lost, Signalling

_KNOWN, _WAITS, _REFUSED = 200, 202, 403
"""What the host answers: the key is known; somebody has to let the device in; neither."""

_USED = "The one-use token was used already, or is older than a day."
_NEW = "Make a new one on the page of the room, or with kontor host member invite."


def enrolling_credentials(device: str, name: str, key: DeviceKey, token: str) -> Credentials:
    """Those of a device that may not be known yet.

    :param token: its one-use token; "" asks to be let in.
    """

    async def give(signalling: Signalling) -> str:
        try:
            return await signalling.device_token(device, key.sign)
        except Lost as lost:
            if not lost.token_refused:
                raise
            if not await Enrolling(signalling, device, name, key).enrol(token):
                raise
        return await signalling.device_token(device, key.sign)

    return give


class Enrolling:
    """One device on its way in."""

    def __init__(self, signalling: Signalling, device: str, name: str, key: DeviceKey) -> None:
        self._signalling, self._device, self._name, self._key = signalling, device, name, key

    async def enrol(self, token: str) -> bool:
        """Whether the host knows the key now; False: it takes none. A token that is not good is as good as none.

        :raises Lost: somebody has to let this device in.
        """
        if token and await self._show(token) == _KNOWN:
            return True
        status = await self._show("")
        if status == _WAITS:
            who = f"An admin of the room has to let this device in. Its key: {fingerprint(self._key.public)}"
            raise Lost(Fault("refused"), f"{_USED} {who}" if token else who)
        if token and status != _KNOWN:
            raise Lost(Fault("refused"), f"{_USED} {_NEW}")
        return status == _KNOWN

    async def _show(self, token: str) -> int:
        signalling = self._signalling
        try:
            text = enrolment_text(signalling.room, self._device, token)
        except protocol.ProtocolError:
            return _REFUSED  # what somebody wrote there is no token
        body = {
            "device": self._device,
            "name": self._name,
            "room": signalling.room,
            "token": token,
            "key": base64.b64encode(self._key.public).decode(),
            "signature": base64.b64encode(self._key.sign(text)).decode(),
        }
        return await signalling.enrol(body)
