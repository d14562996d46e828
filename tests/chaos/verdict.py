"""What a run ended with: our rows against what the simulator's oracle says really happened."""

from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.conf import settings

from brokers.models import AccountOrder, BrokerOperation, TradingAccount
from challenges.models import Challenge, ChallengeStatus
from purchases.models import PayerAccount, Purchase
from tests.chaos.load import PAYER_FUNDS, PRICE, Load

Kind, Operation = BrokerOperation.Kind, BrokerOperation.Status


@dataclass
class Verdict:
    """Lists of what is wrong, by the name under which the table counts them."""

    wrong: dict[str, list[str]] = field(default_factory=dict)
    orphans: int = 0
    faults: int = 0

    def find(self, name: str, detail: str) -> None:
        self.wrong.setdefault(name, []).append(detail)

    def count(self, name: str) -> int:
        return len(self.wrong.get(name, ()))


WRONGS = ("duplicates enabled", "duplicates funded", "wrong balances", "lost", "stuck", "orphans unrecorded")


@dataclass
class _Truth:
    """The oracle's answer, by account number and by e-mail address."""

    accounts: dict[int, dict[str, Any]]
    created: dict[str, list[int]]
    ever_enabled: set[int]

    @classmethod
    def of(cls, oracle: dict[str, Any]) -> "_Truth":
        enabled = [call["appliedTo"] for call in oracle["calls"] if call["endpoint"] == "enable" and call["enable"]]
        accounts = {row["accountNumber"]: row for row in oracle["accounts"]}
        return cls(accounts, oracle["created"], {number for numbers in enabled for number in numbers})

    def net(self, login: int) -> Decimal:
        row = self.accounts[login]
        return Decimal(str(row["deposits"])) - Decimal(str(row["withdrawals"]))


def judge(load: Load, oracle: dict[str, Any]) -> Verdict:
    verdict, truth = Verdict(), _Truth.of(oracle)
    verdict.faults = sum(oracle["faults"].values())
    _lost(verdict, truth, load)
    for order in AccountOrder.objects.select_related("account").prefetch_related("operations"):
        _judge_order(verdict, truth, order, load)
    _judge_purchases(verdict)
    _judge_payers(verdict, truth)
    for operation in BrokerOperation.objects.unfinished():
        verdict.find("stuck", f"operation {operation.pk} {operation}: {operation.get_status_display()}, "
                              f"{operation.review_reason or operation.error_message}")  # fmt: skip
    return verdict


def _lost(verdict: Verdict, truth: _Truth, load: Load) -> None:
    for reference in set(load.ordered) - set(AccountOrder.objects.values_list("reference", flat=True)):
        verdict.find("lost", f"order {reference}")
    for purchase in set(load.bought) - set(Purchase.objects.values_list("pk", flat=True)):
        verdict.find("lost", f"purchase {purchase}")
    if twice := [key for key, count in Counter(load.bought).items() if count > 1]:
        verdict.find("lost", f"two sales are one purchase: {twice}")
    markers = set(BrokerOperation.objects.filter(kind=Kind.CREATE).values_list("marker", flat=True))
    for email in truth.created:
        if email.endswith(settings.ACCOUNT_EMAIL_DOMAIN) and email not in markers:
            verdict.find("lost", f"nobody knows the account of {email}")


def _judge_order(verdict: Verdict, truth: _Truth, order: AccountOrder, load: Load) -> None:
    if order.status != AccountOrder.Status.READY or order.account is None:
        verdict.find("stuck", f"order {order.pk} {order.get_status_display()} {order.review_reason}")
        return
    markers = [each.marker for each in order.operations.all() if each.kind == Kind.CREATE]
    logins = {login for marker in markers for login in truth.created.get(marker, [])}
    ours = order.account.login
    enabled = {login for login in logins if truth.accounts[login]["enabled"]}
    if (enabled - {ours}) or (logins & truth.ever_enabled) - {ours}:
        verdict.find("duplicates enabled", f"order {order.pk}: {sorted(logins & truth.ever_enabled)}, adopted {ours}")
    if ours not in logins or (ours in enabled) == (order.account.pk in load.closed):
        verdict.find("lost", f"order {order.pk}: account {ours} is enabled={ours in enabled}")
    if funded := [login for login in logins - {ours} if truth.accounts[login]["deposits"]]:
        verdict.find("duplicates funded", f"order {order.pk}: {funded}")
    if truth.net(ours) != order.deposit:
        verdict.find("wrong balances", f"order {order.pk}: {truth.net(ours)} instead of {order.deposit}")
    for login in logins - {ours}:
        verdict.orphans += 1
        if not TradingAccount.objects.filter(login=login, is_orphan=True, is_enabled=False).exists():
            verdict.find("orphans unrecorded", f"order {order.pk}: account {login}")


def _judge_purchases(verdict: Verdict) -> None:
    for purchase in Purchase.objects.exclude(status=Purchase.Status.ACTIVE):
        verdict.find("stuck", f"{purchase} {purchase.get_status_display()} {purchase.review_reason}")
    for challenge in Challenge.objects.exclude(status=ChallengeStatus.ACTIVE):
        verdict.find("wrong balances", f"{challenge} is {challenge.get_status_display()} though nobody traded")


def _judge_payers(verdict: Verdict, truth: _Truth) -> None:
    paid = Counter(
        BrokerOperation.objects.filter(kind=Kind.WITHDRAW, status=Operation.DONE, order=None)
        .values_list("account__login", flat=True)
    )  # fmt: skip
    for payer in PayerAccount.objects.select_related("account"):
        expected = PAYER_FUNDS - PRICE * paid[payer.account.login]
        if truth.net(payer.account.login) != expected:
            verdict.find("wrong balances", f"payer {payer}: {truth.net(payer.account.login)} instead of {expected}")
