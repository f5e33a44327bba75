"""``[metrics]``: addresses to answer Prometheus at."""

import re

import pytest

from appliance.settings.model_metrics import ListenAddress
from tests.settings.support import loaded, only

ALLOWED = 'must be an IPv4 address of this machine with a port, like 127.0.0.1:9464, or ""'


@pytest.mark.parametrize("value", ["", "127.0.0.1:9464", "0.0.0.0:1", "192.0.2.7:65535"])
def test_takes(value: str) -> None:
    assert loaded(f'metrics.listen = "{value}"').metrics.listen == value
    assert re.search(str(ListenAddress().json_schema()["pattern"]), value)


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        ('"127.0.0.1"', "The port is missing."),
        ('":9464"', "0.0.0.0 is every address of this machine."),
        ('"127.0.0.1:0"', "A port is a number from 1 to 65535."),
        ('"127.0.0.1:65536"', "A port is a number from 1 to 65535."),
        ('"127.0.0.1:09464"', "A port is a number from 1 to 65535."),
        ('"127.0.0.1:٣"', "A port is a number from 1 to 65535."),
        ('"127.0.0.1:http"', "A port is a number from 1 to 65535."),
        ('"localhost:9464"', ""),
        ('"[::1]:9464"', ""),
        ('"224.0.0.1:9464"', ""),
        ("9464", ""),
        ("true", ""),
    ],
)
def test_refuses(value: str, hint: str) -> None:
    problem = only(f"metrics.listen = {value}")
    assert str(problem) == f"1.toml:2: metrics.listen = {value}: {ALLOWED}." + (f" {hint}" if hint else "")


@pytest.mark.parametrize("host", ["127.0.0.1:9464", "0.0.0.0:9464"])
def test_device_and_host_cannot_share_a_port(host: str) -> None:
    problem = only(f'metrics.listen = "127.0.0.1:9464"\nmetrics.host_listen = "{host}"')
    assert problem.key == "metrics.host_listen"
    assert problem.allowed == "is where the device answers already"


@pytest.mark.parametrize("host", ["127.0.0.1:9465", "127.0.0.2:9464", ""])
def test_two_ports_or_two_addresses_are_right(host: str) -> None:
    assert loaded(f'metrics.listen = "127.0.0.1:9464"\nmetrics.host_listen = "{host}"').metrics.host_listen == host
