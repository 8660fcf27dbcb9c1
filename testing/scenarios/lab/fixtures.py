# SPDX-License-Identifier: Apache-2.0
"""pytest fixtures: `lab` for a test, `shared_lab` for a file of tests; logs of failed tests."""
import os
import tempfile

import pytest

from . import conf
from .gateway import Bewick, Strongswan
from .net import Net

KEEP = bool(os.environ.get("LAB_KEEP"))  # leave folders and namespaces for a look


class Lab:
    """A network and the gateways on it. `wait_children` and the like are methods of gateways."""
    count = 0

    def __init__(self):
        Lab.count += 1
        worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0")
        self.prefix = "bw%d%s%d" % (os.getpid(), worker, Lab.count)
        self.dir = tempfile.mkdtemp(prefix=self.prefix + "-")
        os.chmod(self.dir, 0o755)
        self.net = Net(self.prefix)
        self.gateways = []

    def gateway(self, side, config=None, settings=None, kind=None, folder=None, at=None):
        """A gateway that is not started yet; at: another namespace than the side's (Net.more)."""
        made = (kind or Bewick)(self.net, side, os.path.join(self.dir, folder or side), config, settings, at)
        self.gateways.append(made)
        return made

    def pair(self, moon=None, sun=None, settings=None, kinds=(None, None), **over):
        """Both gateways, started and loaded; by default each with connection net and child net-net."""
        made = []
        for side, config, kind in (("moon", moon, kinds[0]), ("sun", sun, kinds[1])):
            config = conf.gateway(side, **over) if config is None else config
            made.append(self.gateway(side, config, settings, kind))
        for gateway in made:
            gateway.launch()
        for gateway in made:
            gateway.wait_ready()
            gateway.load()
        return made

    def close(self):
        problems = []
        for gateway in self.gateways:
            try:
                gateway.finish()
            except Exception as problem:  # pylint: disable=broad-except
                problems.append("%s: %s" % (gateway.side, problem))
        if not KEEP:
            self.net.down()
        return problems

    def report(self):
        for gateway in self.gateways:
            for name in ("out", "log"):
                text = getattr(gateway, name)()
                if text:
                    yield "%s %s (%s)" % (gateway.side, name, gateway.path(name)), text[-30000:]


def _make(request):
    lab = Lab()
    request.node.lab = lab
    yield lab
    problems = lab.close()
    if not KEEP:
        import shutil
        lab.texts = list(lab.report())
        shutil.rmtree(lab.dir, ignore_errors=True)
    if problems:
        for title, text in lab.texts if not KEEP else lab.report():
            print("---- %s\n%s" % (title, text))
        pytest.fail("at the end: " + "\n".join(problems), pytrace=False)


@pytest.fixture
def lab(request):
    yield from _make(request)


@pytest.fixture(scope="module")
def shared_lab(request):
    yield from _make(request)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.when == "call" and report.failed:
        for fixture in item.funcargs.values():
            if isinstance(fixture, Lab):
                report.sections.extend(fixture.report())
