# SPDX-License-Identifier: Apache-2.0
"""Tunnels whose packets the kernel encrypts."""
from lab.run import run


def test_guest(lab):
    """The guest can do what the others need: two gateways that reach each other, and SAs of ESP."""
    assert "0 received" not in run("ping", "-c", "1", "-W", "5", "10.81.2.2", ns=lab.net.ns("moon")).stdout
    run("ip", "xfrm", "state", "add", "src", "10.81.1.2", "dst", "10.81.2.2", "proto", "esp", "spi", "0x1000", "mode", "tunnel",
        "aead", "rfc4106(gcm(aes))", "0x" + "00" * 20, "128", ns=lab.net.ns("moon"))
