"""`jobflow controller` on an odd machine: its wall clock is wrong, or its patience with a silent server is short.

In: how it is odd, and a kubeconfig. Out: the controller itself, as a process, all else being as shipped.

    python tests/cluster/odd.py --kubeconfig FILE [--skew SECONDS] [--silence SECONDS] [--request SECONDS]
"""

from __future__ import annotations

import argparse
import asyncio
from datetime import datetime, timedelta

from jobflow.cli.controller import control
from jobflow.clock import SystemClock
from jobflow.config import load
from jobflow.kube.client import REQUEST_SECONDS, WATCH_SILENCE_SECONDS, Patience
from jobflow.obs.log import configure


class Skewed(SystemClock):
    """A machine whose clock was set wrong."""

    def __init__(self, seconds: float) -> None:
        self._wrong_by = timedelta(seconds=seconds)

    def now(self) -> datetime:
        """Not quite."""
        return super().now() + self._wrong_by


def main() -> None:
    """Read the flags and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kubeconfig", required=True)
    parser.add_argument("--skew", type=float, default=0.0, help="seconds that the wall clock is ahead")
    parser.add_argument("--silence", type=float, default=WATCH_SILENCE_SECONDS)
    parser.add_argument("--request", type=float, default=REQUEST_SECONDS)
    options = parser.parse_args()
    settings = load({"kubeconfig": options.kubeconfig, "metrics_address": "127.0.0.1:0", "log_format": "json"}, {})
    configure(settings.log_level, settings.log_format)
    asyncio.run(control(settings, Skewed(options.skew), Patience(options.request, options.silence)))


if __name__ == "__main__":
    main()
