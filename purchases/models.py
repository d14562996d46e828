from datetime import datetime
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from brokers.models import AccountOrder, BrokerOperation, TradingAccount
from programs.models import Program, ProgramVersion
from propdesk.lib.money import MoneyField
from propdesk.lib.transitions import Event


class Customer(models.Model):
    """Who buys. Statuses: api-facts 9."""

    class Status(models.IntegerChoices):
        ACTIVE = 0, "active"
        BLOCKED = 1, "blocked"
        ARCHIVED = 2, "archived"
        PROSPECT = 3, "prospect"

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="customer",
        help_text="The login whose customer session acts for this customer.",
    )  # fmt: skip
    brand = models.CharField(max_length=64, default="default")
    email = models.EmailField()
    first_name = models.CharField(max_length=100)
    last_name = models.CharField(max_length=100)
    status = models.SmallIntegerField(choices=Status.choices, default=Status.ACTIVE)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ("-id",)
        constraints = [models.UniqueConstraint(fields=["brand", "email"], name="customer_email_once_per_brand")]

    def __str__(self) -> str:
        return f"{self.first_name} {self.last_name}".strip() or self.email


class PayerAccount(models.Model):
    """A REAL trading account of a customer, from which prices are taken."""

    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="payer_accounts")
    account = models.OneToOneField(TradingAccount, on_delete=models.PROTECT, related_name="payer")
    is_enabled = models.BooleanField("enabled", default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-id",)

    def __str__(self) -> str:
        return str(self.account)


class PurchaseQuerySet(models.QuerySet["Purchase"]):
    def awaiting_payment(self) -> "PurchaseQuerySet":
        """Sales whose price is still to be taken, or whose payment is still to be settled."""
        return self.filter(status=Purchase.Status.PENDING)

    def awaiting_account(self) -> "PurchaseQuerySet":
        """Paid, and their first trading account is still to be ordered or to become ready."""
        return self.filter(status=Purchase.Status.PAID)

    def awaiting_challenge(self) -> "PurchaseQuerySet":
        """Their account is ready; the challenge is still to be opened."""
        return self.filter(status=Purchase.Status.ACCOUNT_CREATED)

    def being_refunded(self) -> "PurchaseQuerySet":
        """Staff have asked for the price to be given back, and it is on its way."""
        return self.filter(status=Purchase.Status.FAILED, refund_asked_at__isnull=False)

    def unfinished(self) -> "PurchaseQuerySet":
        """What the machine has work with: payments, accounts and refunds."""
        return self.awaiting_payment() | self.awaiting_account() | self.being_refunded()

    def due(self, now: datetime) -> "PurchaseQuerySet":
        return self.filter(next_at__lte=now).order_by("next_at", "id")


class PurchaseEvent(Event):
    """What happened to a purchase."""


class Purchase(models.Model):
    """One sale (or grant) of a program, pinned to the version of its terms that was bought. Statuses: seed 000.

    One that is to be refunded is failed (called off, if it was not so before) until the money is back.
    """

    class Status(models.IntegerChoices):
        PENDING = 0, "pending"
        PAID = 1, "paid"
        ACCOUNT_CREATED = 2, "account_created"
        ACTIVE = 3, "active"
        FAILED = 4, "failed"
        REFUNDED = 5, "refunded"

    class Kind(models.TextChoices):
        SALE = "sale", "sale"
        GRANT = "grant", "grant"

    EDGES: ClassVar[dict[int, frozenset[int]]] = {
        Status.PENDING: frozenset({Status.PAID, Status.FAILED}),
        Status.PAID: frozenset({Status.ACCOUNT_CREATED, Status.FAILED}),
        Status.ACCOUNT_CREATED: frozenset({Status.ACTIVE, Status.FAILED}),
        Status.FAILED: frozenset({Status.REFUNDED}),
    }
    EVENTS: ClassVar[type[Event]] = PurchaseEvent

    kind = models.CharField(max_length=10, choices=Kind.choices, default=Kind.SALE)
    program = models.ForeignKey(Program, on_delete=models.PROTECT, related_name="purchases")
    program_version = models.ForeignKey(ProgramVersion, on_delete=models.PROTECT, related_name="purchases")
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="purchases")
    payer = models.ForeignKey(PayerAccount, on_delete=models.PROTECT, null=True, blank=True, related_name="purchases")
    status = models.SmallIntegerField(choices=Status.choices, default=Status.PENDING)
    amount = MoneyField()
    currency = models.CharField(max_length=3)
    conversion_rate = models.DecimalField(max_digits=18, decimal_places=8, default=1)
    amount_account_currency = MoneyField(help_text="The amount in the payer account's currency.")
    comment = models.CharField(max_length=255, blank=True)
    idempotency_key = models.CharField(max_length=128, blank=True)
    request_digest = models.CharField(max_length=64, blank=True, help_text="What the key was first used for.")
    payment_status = models.CharField(max_length=30, default="pending")
    activation_status = models.CharField(max_length=30, default="pending")
    failure_reason = models.CharField(max_length=100, blank=True)
    review_reason = models.TextField(blank=True, help_text="Why staff have to look at it; empty when they need not.")
    payment = models.OneToOneField(
        BrokerOperation, on_delete=models.PROTECT, null=True, blank=True, related_name="purchase_paid",
        help_text="The withdrawal that takes the price from the payer account.",
    )  # fmt: skip
    refund_asked_at = models.DateTimeField(
        null=True, blank=True, help_text="When staff asked to give the price back; empty again once that was refused."
    )
    refund_reason = models.TextField(blank=True)
    refund_tries = models.PositiveSmallIntegerField(default=0, help_text="How often staff have asked.")
    refund = models.OneToOneField(
        BrokerOperation, on_delete=models.PROTECT, null=True, blank=True, related_name="purchase_refunded",
        help_text="The deposit that gives the price back to the payer account.",
    )  # fmt: skip
    account_order = models.OneToOneField(
        AccountOrder, on_delete=models.PROTECT, null=True, blank=True, related_name="purchase"
    )
    account_login = models.BigIntegerField(default=0, help_text="0 until the account is ready.")
    next_at = models.DateTimeField(help_text="When the sweeper looks at it next.")
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    objects = PurchaseQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        constraints = [
            models.UniqueConstraint(
                fields=["customer", "idempotency_key"], condition=~Q(idempotency_key=""), name="purchase_key_once"
            ),
            models.CheckConstraint(condition=Q(status__in=[0, 1, 2, 3, 4, 5]), name="purchase_status_known"),
            models.CheckConstraint(
                condition=Q(kind="sale", amount__gt=0, payer__isnull=False) | Q(kind="grant", amount=0),
                name="purchase_sale_has_price_and_payer",
            ),
            models.CheckConstraint(condition=~Q(status=4) | ~Q(failure_reason=""), name="purchase_failed_has_reason"),
            models.CheckConstraint(
                condition=~Q(status__in=[2, 3]) | Q(account_login__gt=0), name="purchase_account_created_has_login"
            ),
            models.CheckConstraint(
                condition=~Q(status=5) | Q(refund__isnull=False, refund_asked_at__isnull=False),
                name="purchase_refunded_by_an_operation",
            ),
            models.CheckConstraint(
                condition=Q(refund_asked_at=None)
                | (Q(status__in=[4, 5], payment__isnull=False, refund_tries__gt=0) & ~Q(refund_reason="")),
                name="purchase_refund_of_a_payment_for_a_reason",
            ),
        ]
        indexes = [
            models.Index(fields=["next_at", "id"], condition=Q(status__in=[0, 1, 2]), name="purchase_due"),
            models.Index(
                fields=["next_at", "id"],
                condition=Q(status=4, refund_asked_at__isnull=False),
                name="purchase_refund_due",
            ),
            models.Index(fields=["status", "-id"], name="purchase_status"),
            models.Index(fields=["customer", "-id"], name="purchase_customer"),
        ]

    def __str__(self) -> str:
        return f"purchase {self.pk}"

    @property
    def is_being_refunded(self) -> bool:
        return self.status == self.Status.FAILED and self.refund_asked_at is not None
