"""What a run consists of. One seed gives one plan: the same faults in the same order of arrival, the same kills."""

import random
from argparse import ArgumentParser
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

# How patient the broker connection is, in seconds. Delays and late effects of the mix (SHORT) end before the settle
# time does, as seen by the stalest reading; those of LATE come after it, and only the quarantine catches them.
DEADLINE, SETTLE, QUARANTINE = 1, 4, 10
SHORT, LATE = 1.5, 7.0
LATE_SHARE = 0.02

PLACES = (
    "before accountorder requested", "after accountorder requested", "after accountorder opening",
    "before accountorder ready", "after accountorder ready",
    "before lease accountorder", "after lease accountorder", "after lease brokeroperation",
    *(
        f"{side} call {name}"
        for side in ("before", "after")
        for name in ("create", "deposit", "withdraw", "enable", "close-all-positions")
    ),
    *(
        f"{side} brokeroperation {kind} {status}"
        for side in ("before", "after")
        for kind in ("create", "deposit", "withdraw", "enable")
        for status in ("intended", "calling", "in doubt", "done")
    ),
    # One account in ten is taken out of trading again; the load asks for it, and that process is not ours to kill.
    *(
        f"{side} brokeroperation {kind} {status}"
        for side in ("before", "after")
        for kind in ("disable", "close_all")
        for status in ("calling", "in doubt", "done")
    ),
    "before brokeroperation create cancelled", "after brokeroperation create cancelled",
    *(f"{side} purchase {status}" for side in ("before", "after") for status in ("paid", "account_created", "active")),
    "before challenge active", "after challenge active", "before enrollment active", "after enrollment active",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Plan:
    """`sales` is the share of the orders that come as purchases; the others are placed directly."""

    orders: int
    sales: float
    fault_rate: float
    kills: int
    seed: int
    sweepers: int
    workers: int
    converge_seconds: float
    settle: int
    quarantine: int
    late_share: float
    late_seconds: float

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        return cls(**{each.name: values[each.name] for each in fields(cls)})

    @property
    def most_open(self) -> int:
        """So many orders are under way at once, so that most of them meet the faults and the blows."""
        return max(20, min(self.orders // 8, 250))

    def replay(self) -> str:
        return (
            f"make chaos ORDERS={self.orders} SALES={self.sales:g} FAULT_RATE={self.fault_rate:g} "
            f"KILLS={self.kills} SEED={self.seed}"
        )

    def rules(self) -> list[dict[str, Any]]:
        """The simulator's fault rules."""
        late = [
            {"endpoint": name, "fault": "late_effect", "probability": self.late_share, "seconds": self.late_seconds}
            for name in ("create", "deposit", "withdraw")
        ]
        mixes = [("writes", self.fault_rate), ("reads", self.fault_rate / 3)]
        mixed = [{"endpoint": name, "fault": "mix", "probability": rate, "seconds": SHORT} for name, rate in mixes]
        return [*late, *mixed] if self.fault_rate else []

    def blows(self) -> list[str]:
        """What is done to the processes, in order; the blows are spread evenly over the orders."""
        dice = random.Random(f"blows:{self.seed}")
        servers = max(1, self.kills // 10)
        blows = [dice.choice(("sweeper", "worker", "worker pool")) for _ in range(self.kills)]
        blows += ["postgres"] * servers + ["valkey restart"] * servers + ["valkey flush"] * max(1, servers // 2)
        dice.shuffle(blows)
        return blows if self.kills else []

    def places(self) -> random.Random:
        """The dice that choose where a new process dies by itself."""
        return random.Random(f"places:{self.seed}")


def add_arguments(parser: ArgumentParser) -> None:
    add = parser.add_argument
    add("--orders", type=int, default=400, help="accounts to open (400)")
    add("--sales", type=float, default=0.5, help="share of them that are bought; the rest is ordered directly (0.5)")
    add("--fault-rate", type=float, default=0.3, help="share of the writes that meet a fault; of reads a third (0.3)")
    add("--kills", type=int, default=30, help="kill -9 at random, and as many again at named places at most (30)")
    add("--seed", type=int, default=1, help="of the faults, the kills and their places (1)")
    add("--sweepers", type=int, default=2, help="sweeper processes (2)")
    add("--workers", type=int, default=1, help="Celery workers, each with two processes (1)")
    add("--settle", type=int, default=SETTLE, help="the connection's settle time in seconds (%(default)s)")
    add("--quarantine", type=int, default=QUARANTINE, help="its quarantine; 0 lets late deposits pass (%(default)s)")
    add("--late-share", type=float, default=LATE_SHARE, help="of creations and money, later than settled (%(default)s)")
    add("--late-seconds", type=float, default=LATE, help="how late; at the end all of it lands (%(default)s)")
    add("--converge-seconds", type=float, default=180, help="how long to wait at the end (180)")
