import socket

import pytest

from flows.settings import Settings
from flows.up import PortInUseError, check_ports


def test_a_port_in_use_is_named_with_its_setting():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(PortInUseError, match=f"mlflow_port {port} on 127.0.0.1 is in use.*TIDEWAITER_MLFLOW_PORT"):
            check_ports(Settings(mlflow_port=port))


def test_free_ports_pass():
    with socket.socket() as first, socket.socket() as second:
        first.bind(("127.0.0.1", 0))
        second.bind(("127.0.0.1", 0))
        ports = first.getsockname()[1], second.getsockname()[1]
    check_ports(Settings(mlflow_port=ports[0], prefect_port=ports[1]))
