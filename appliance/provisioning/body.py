"""Reading what a server answers, of whom nothing is believed yet: never more than was asked for."""

import aiohttp


async def read_body(response: aiohttp.ClientResponse, most: int) -> bytes | None:
    """The whole body, in however many pieces it comes; None: it is longer than ``most`` bytes, be it endless.

    :raises aiohttp.ClientError, TimeoutError: it does not come.
    """
    content = bytearray()
    async for part in response.content.iter_any():
        content += part
        if len(content) > most:
            response.close()  # the rest is not wanted
            return None
    return bytes(content)
