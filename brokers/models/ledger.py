from django.db import models
from django.db.models import Q

from propdesk.lib.money import MoneyField


class LedgerTransaction(models.Model):
    """Money that an operation moved at a broker, in double entry (mechanism M10).

    Written in the transaction that concludes the operation, once for each time that the operation had its effect. Its
    entries add up to zero in every currency: a constraint trigger sees to it at commit. Rows are never changed or
    deleted. Plain ids and texts instead of foreign keys: the ledger outlives what it tells about.
    """

    operation_id = models.BigIntegerField(help_text="The broker operation that moved the money.")
    occurrence = models.PositiveSmallIntegerField(
        default=1, help_text="Above 1: a call that was taken for lost landed late, beside the one that was made for it."
    )
    kind = models.CharField(max_length=20)
    subject = models.CharField(max_length=100)
    at = models.DateTimeField(help_text="When it was concluded that the money has moved.")

    class Meta:
        ordering = ("-id",)
        constraints = [
            models.UniqueConstraint(fields=["operation_id", "occurrence"], name="ledger_occurrence_once"),
        ]
        indexes = [
            models.Index(fields=["subject"], name="ledger_subject"),
            models.Index(fields=["at"], name="ledger_at"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} for {self.subject}"


class LedgerEntry(models.Model):
    """One side of a transaction: an amount above zero came into the account, one below zero left it."""

    transaction = models.ForeignKey(LedgerTransaction, on_delete=models.PROTECT, related_name="entries")
    account = models.CharField(max_length=100, help_text='Such as "broker:1:49600001", "firm" or "customer price".')
    currency = models.CharField(max_length=3)
    amount = MoneyField()

    class Meta:
        ordering = ("id",)
        verbose_name_plural = "ledger entries"
        constraints = [
            models.UniqueConstraint(fields=["transaction", "account", "currency"], name="ledger_account_once"),
            models.CheckConstraint(condition=~Q(amount=0), name="ledger_amount_not_zero"),
            models.CheckConstraint(condition=~Q(account=""), name="ledger_account_named"),
            models.CheckConstraint(condition=Q(currency__regex=r"^[A-Z]{3}$"), name="ledger_currency_iso"),
        ]
        indexes = [models.Index(fields=["account", "id"], name="ledger_account")]

    def __str__(self) -> str:
        return f"{self.account}: {self.amount.normalize():f} {self.currency}"
