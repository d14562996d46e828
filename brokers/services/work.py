"""What a worker has in hand while it works on a row."""

from dataclasses import dataclass, field

from brokers.client.base import Broker
from brokers.models import BrokerConnection
from brokers.services.leases import Clock, Lease
from brokers.services.snapshots import Snapshots


@dataclass(slots=True)
class Work:
    """A client, a lease, the time, and the readings of the round."""

    connection: BrokerConnection
    client: Broker
    lease: Lease
    clock: Clock
    snapshots: Snapshots = field(default_factory=Snapshots)

    def broker(self) -> Broker:
        """The client, once the lease is sure to outlast one call. Raises `LeaseLostError`."""
        self.lease.hold(self.connection.deadline_seconds)
        return self.client
