# SPDX-License-Identifier: Apache-2.0
"""Traffic that goes on while a test does something else."""
import threading


class Pinging:
    """Echo requests without a pause, in a thread, until the end of the block; `lost` should stay 0."""

    def __init__(self, *gateways):
        self.gateways, self.stop, self.sent, self.lost = gateways, threading.Event(), 0, 0
        self.threads = [threading.Thread(target=self._run, args=(gateway,)) for gateway in gateways]

    def _run(self, gateway):
        while not self.stop.is_set():
            answered = gateway.ping(count=10)
            self.sent += 10
            self.lost += 10 - answered

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for thread in self.threads:
            thread.join()
