# SPDX-License-Identifier: Apache-2.0
"""Configuration payloads with strongSwan: both ends can, but it gives and takes attributes only along with virtual addresses."""
from lab import conf
from lab.gateway import Bewick, Strongswan


def test_asked_without_an_address(lab):
    """We ask strongSwan's plugin attr for DNS servers alone: the tunnel is there, whatever it answers."""
    moon = lab.gateway("moon", conf.gateway("moon"), {"attributes_without_vips": True, "plugins": {
        "resolve": {"file": lab.dir + "/resolv.conf"}}}, Bewick)
    sun = lab.gateway("sun", conf.gateway("sun"), {"load": Strongswan.PLUGINS + " attr", "plugins": {
        "attr": {"dns": "10.2.0.53"}}}, Strongswan)
    moon.start()
    sun.start()
    moon.initiate("net-net")
    sun.wait_log(r"parsed IKE_AUTH request .*CPRQ\(DNS DNS6\)")
    assert moon.ping() == 3


def test_address_asked_for(lab):
    """strongSwan asks us for a virtual address, which we have no pool for: it gets DNS servers and no CHILD_SA, the IKE_SA stays."""
    moon = lab.gateway("moon", conf.gateway("moon", vips="0.0.0.0"), {"load": Strongswan.PLUGINS + " resolve", "plugins": {
        "resolve": {"file": lab.dir + "/resolv.conf"}}}, Strongswan)
    sun = lab.gateway("sun", conf.gateway("sun"), {"plugins": {"attr": {"dns": "10.2.0.53"}}}, Bewick)
    moon.start()
    sun.start()
    moon.initiate("net-net", check=False)
    sun.wait_log(r"no virtual IP for 'moon.*the connection has no pools")
    moon.wait_log(r"parsed IKE_AUTH response .*CPRP\(DNS\).*N\(INT_ADDR_FAIL\)")
    assert [sa["state"] for _, sa in sun.sas()] == ["ESTABLISHED"]
