"""How each kind of operation is called, and how a reading tells whether it happened."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from brokers.client.base import NewAccount
from brokers.client.errors import OutcomeUnknownError
from brokers.models import AccountOrder, BrokerConnection, BrokerOperation, TradingAccount
from brokers.services.calls import Evidence, Finding, Procedure, Verdict
from brokers.services.late_effects import drop_overtaken_enablings
from brokers.services.ledger import record_late_deposits, record_move
from brokers.services.outcomes import calls_of
from brokers.services.passwords import new_password
from brokers.services.transfers import (
    baseline_of,
    read_transfers,
    read_transfers_twice,
    same_figures,
    summary,
    with_ours_since,
)
from brokers.services.whole_lists import sound_accounts
from brokers.services.work import Work
from propdesk.lib.money import as_text

Kind = BrokerOperation.Kind


class Creation(Procedure):
    """Create an account: disabled, with a marker e-mail by which it is found again and a password nobody keeps (M5)."""

    most_attempts = 1
    # The next generation gets a marker of its own, so that a late effect of this one can be told apart.
    when_absent = BrokerOperation.Status.CANCELLED

    def send(self, operation: BrokerOperation, work: Work) -> Evidence:
        order = _order(operation)
        login = work.broker().create_account(
            NewAccount(
                unit=order.group.unit,
                group=order.group.broker_group,
                email=operation.marker,
                first_name=order.first_name,
                last_name=order.last_name,
                currency=order.group.currency,
                password=new_password(),
            )
        )
        if TradingAccount.objects.filter(connection=work.connection, login=login).exists():
            raise OutcomeUnknownError(f"The broker answered with account {login}, which we know already.")
        return {"login": login, "from": "reply"}

    def look(self, operation: BrokerOperation, work: Work, *, since: datetime) -> Finding:
        order = _order(operation)
        snapshot = sound_accounts(work, unit=order.group.unit, not_before=since)
        wanted, accounts = operation.marker.lower(), snapshot.accounts
        marked = sorted(login for login, row in accounts.items() if row.email.lower() == wanted)
        if not marked:
            evidence = {"accounts_read": len(accounts), "with_marker": 0}
            return Finding(Verdict.NOTHING, evidence, begun=snapshot.begun)
        return Finding(Verdict.DONE, {"login": marked[0], "from": "lookup", "with_marker": len(marked)})

    def apply(self, operation: BrokerOperation, evidence: Evidence, *, now: datetime) -> None:
        order = _order(operation)
        account, _ = TradingAccount.objects.get_or_create(
            connection_id=operation.connection_id,
            login=evidence["login"],
            defaults={"group": order.group, "marker": operation.marker, "order": order},
        )
        operation.account = account


class MoneyMove(Procedure):
    """Deposit or withdraw. In doubt, the account's transfers tell: nothing new, or exactly ours (M7)."""

    most_attempts = 5

    def baseline(self, operation: BrokerOperation, work: Work) -> Any:
        return baseline_of(read_transfers(work, _account(operation)))

    def landed_since(self, operation: BrokerOperation, before: Any, baseline: Any) -> Any:
        if not operation.was_in_doubt or not before or "event" not in before:
            return None
        expected = with_ours_since(before, operation)
        return None if same_figures(expected, baseline) else expected

    def send(self, operation: BrokerOperation, work: Work) -> Evidence:
        account, amount = _account(operation), operation.amount
        broker = work.broker()
        move = broker.deposit if operation.kind == Kind.DEPOSIT else broker.withdraw
        balance = move(unit=account.group.unit, login=account.login, amount=amount, comment=operation.comment)
        return {"balance": str(balance), "from": "reply"}

    def look(self, operation: BrokerOperation, work: Work, *, since: datetime) -> Finding:
        before = operation.baseline
        if before is None:
            return Finding(Verdict.UNCLEAR, {}, "Nobody knows the account's transfers from before the call.")
        after = summary(read_transfers_twice(work, _account(operation), at_least=before["count"]))
        count: int = after["count"] - before["count"]
        moved = Decimal(after["sum"]) - Decimal(before["sum"])
        ours = operation.amount if operation.kind == Kind.DEPOSIT else -operation.amount
        evidence = {"before": before, "after": after, "from": "transfers"}
        if 1 <= count <= self.most_landings(operation) and moved == count * ours:
            return Finding(Verdict.DONE, evidence)
        if (count, moved) == (0, Decimal(0)):
            return Finding(Verdict.NOTHING, evidence)
        reason = f"{count} new transfers moved {as_text(moved)}, where {as_text(ours)} or nothing was expected."
        return Finding(Verdict.UNCLEAR, evidence, reason)

    def apply(self, operation: BrokerOperation, evidence: Evidence, *, now: datetime) -> None:
        if operation.kind == Kind.DEPOSIT:
            TradingAccount.objects.filter(operations=operation).update(is_funded=True)
        if operation.kind == Kind.WITHDRAW and operation.order_id:
            record_late_deposits(operation, now=now)
        record_move(operation, now=now)

    def most_landings(self, operation: BrokerOperation) -> int:
        """How many of our calls may have landed since the baseline was read."""
        return 1


class OrderDeposit(MoneyMove):
    """The deposit of an account that nobody else can use yet. An earlier call of it, called absent, may have landed
    together with the last one: the order takes the excess out again before the account is enabled."""

    def most_landings(self, operation: BrokerOperation) -> int:
        # Not `attempts`: those are counted anew when staff resume it.
        return calls_of(operation).count()


class PatientMove(MoneyMove):
    """Money of a living account, or an excess that is taken out. It is moved again only when a late effect of the first
    call is out of the question: there is no later step at which too much could be found and given back."""

    def baseline(self, operation: BrokerOperation, work: Work) -> Any:
        # Others move its money too: a row that is missing here would look like a new transfer afterwards.
        return baseline_of(read_transfers_twice(work, _account(operation)))

    def settle_after(self, connection: BrokerConnection) -> timedelta:
        return _as_late_as_it_gets(connection)


class Switch(Procedure):
    """Enable or disable, and read it back: the reply to the call names no account (M12)."""

    repeatable = True

    def send(self, operation: BrokerOperation, work: Work) -> Evidence:
        account = _account(operation)
        wanted = operation.kind == Kind.ENABLE
        work.broker().set_enabled(unit=account.group.unit, login=account.login, enabled=wanted)
        return {}

    def look(self, operation: BrokerOperation, work: Work, *, since: datetime) -> Finding:
        account = _account(operation)
        details = work.broker().account_details(login=account.login)
        if account.marker and details.email.lower() != account.marker.lower():
            return Finding(Verdict.UNCLEAR, {}, f"Account {account.login} does not carry our e-mail address.")
        verdict = Verdict.DONE if details.is_enabled == (operation.kind == Kind.ENABLE) else Verdict.NOTHING
        evidence = {"enabled": details.is_enabled, "balance": str(details.balance)}
        reason = "" if verdict is Verdict.DONE else f"The account reads enabled={details.is_enabled}."
        return Finding(verdict, evidence, reason)

    def apply(self, operation: BrokerOperation, evidence: Evidence, *, now: datetime) -> None:
        TradingAccount.objects.filter(operations=operation).update(is_enabled=evidence["enabled"])
        if operation.kind == Kind.DISABLE:
            drop_overtaken_enablings(operation, now=now)


class Flattening(Procedure):
    """Close all positions, and read that none is left."""

    repeatable = True

    def send(self, operation: BrokerOperation, work: Work) -> Evidence:
        account = _account(operation)
        work.broker().close_all_positions(unit=account.group.unit, login=account.login)
        return {}

    def look(self, operation: BrokerOperation, work: Work, *, since: datetime) -> Finding:
        account = _account(operation)
        stats = work.broker().account_stats(unit=account.group.unit, login=account.login)
        evidence = {name: str(getattr(stats, name)) for name in ("balance", "equity", "margin")}
        if stats.margin == 0 and stats.equity == stats.balance:
            return Finding(Verdict.DONE, evidence)
        return Finding(
            Verdict.NOTHING, evidence, f"Positions are still open: margin {stats.margin}, equity {stats.equity}."
        )

    def apply(self, operation: BrokerOperation, evidence: Evidence, *, now: datetime) -> None:
        """Our row keeps the figures that the monitor reads; there is nothing to add."""


class ClosingOne(Procedure):
    """Close one position, and read that it is open no more."""

    repeatable = True

    def send(self, operation: BrokerOperation, work: Work) -> Evidence:
        account, position_id = _account(operation), _position_id(operation)
        work.broker().close_position(unit=account.group.unit, login=account.login, position_id=position_id)
        return {}

    def look(self, operation: BrokerOperation, work: Work, *, since: datetime) -> Finding:
        account, position_id = _account(operation), _position_id(operation)
        # One list may miss a row: what the second shows counts as open too.
        mine = _open_positions(account, work)
        if position_id not in mine:
            mine |= _open_positions(account, work)
        evidence = {"position": position_id, "open": position_id in mine, "others_open": len(mine - {position_id})}
        if position_id in mine:
            return Finding(Verdict.NOTHING, evidence, f"Position {position_id} is still open.")
        return Finding(Verdict.DONE, evidence)

    def apply(self, operation: BrokerOperation, evidence: Evidence, *, now: datetime) -> None:
        """Our rows keep no positions."""


class PasswordReset(Procedure):
    """Set a new password, which lives in this object alone. Nothing can be read back: a reset in doubt is given up once
    its effect can no longer appear, and the next one makes up for it."""

    most_attempts = 1
    when_absent = BrokerOperation.Status.CANCELLED
    absent_reason = "Nothing shows whether the password was set, and nobody knows it: reset it again."

    def __init__(self) -> None:
        self.password = new_password()

    def settle_after(self, connection: BrokerConnection) -> timedelta:
        # A lost password must not land on top of the next one.
        return _as_late_as_it_gets(connection)

    def send(self, operation: BrokerOperation, work: Work) -> Evidence:
        account = _account(operation)
        work.broker().reset_password(unit=account.group.unit, login=account.login, password=self.password)
        return {"from": "reply"}

    def look(self, operation: BrokerOperation, work: Work, *, since: datetime) -> Finding:
        return Finding(Verdict.NOTHING, {})

    def apply(self, operation: BrokerOperation, evidence: Evidence, *, now: datetime) -> None:
        """The password is nobody's but the caller's."""


def procedure_of(operation: BrokerOperation) -> Procedure:
    match Kind(operation.kind):
        case Kind.CREATE:
            return Creation()
        case Kind.DEPOSIT | Kind.WITHDRAW:
            return OrderDeposit() if operation.order_id and operation.kind == Kind.DEPOSIT else PatientMove()
        case Kind.ENABLE | Kind.DISABLE:
            return Switch()
        case Kind.CLOSE_ALL:
            return Flattening()
        case Kind.CLOSE_ONE:
            return ClosingOne()
        case Kind.RESET_PASSWORD:
            return PasswordReset()


def _open_positions(account: TradingAccount, work: Work) -> set[int]:
    positions = work.broker().opened_positions(unit=account.group.unit)
    return {each.position_id for each in positions if each.login == account.login}


def _as_late_as_it_gets(connection: BrokerConnection) -> timedelta:
    return timedelta(seconds=max(connection.settle_seconds, connection.quarantine_seconds))


def _order(operation: BrokerOperation) -> AccountOrder:
    if operation.order is None:
        raise ValueError(f"{operation} names no order.")
    return operation.order


def _account(operation: BrokerOperation) -> TradingAccount:
    if operation.account is None:
        raise ValueError(f"{operation} names no account.")
    return operation.account


def _position_id(operation: BrokerOperation) -> int:
    if operation.position_id is None:
        raise ValueError(f"{operation} names no position.")
    return operation.position_id
