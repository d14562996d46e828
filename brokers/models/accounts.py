from django.db import models
from django.db.models import Q

from brokers.models.connections import AccountGroup, BrokerConnection
from propdesk.lib.money import MoneyField


class TradingAccount(models.Model):
    """A trading account that exists at a broker. Its flags and figures are what we last verified there."""

    connection = models.ForeignKey(BrokerConnection, on_delete=models.PROTECT, related_name="accounts")
    group = models.ForeignKey(AccountGroup, on_delete=models.PROTECT, related_name="accounts")
    login = models.BigIntegerField(help_text="The broker's account number.")
    marker = models.EmailField(
        blank=True, help_text="The e-mail address we created it with; it is how we find it again after a lost reply."
    )
    order = models.ForeignKey(
        "brokers.AccountOrder", on_delete=models.PROTECT, null=True, blank=True, related_name="accounts_created"
    )
    is_enabled = models.BooleanField("enabled", default=False)
    is_funded = models.BooleanField("funded", default=False)
    is_orphan = models.BooleanField(
        "orphan", default=False, help_text="An extra account that a lost reply left behind; recorded and disabled."
    )
    balance = MoneyField(null=True, help_text="As last read from the broker.")
    equity = MoneyField(null=True, help_text="As last read from the broker.")
    read_at = models.DateTimeField(null=True, help_text="When balance and equity were read.")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ("-id",)
        constraints = [
            models.UniqueConstraint(fields=["connection", "login"], name="account_login_once_per_broker"),
            models.UniqueConstraint(
                fields=["order"], condition=Q(is_enabled=True), name="account_one_enabled_per_order"
            ),
            models.UniqueConstraint(fields=["order"], condition=Q(is_funded=True), name="account_one_funded_per_order"),
        ]
        indexes = [
            models.Index(fields=["login"], name="account_login"),
            models.Index(fields=["marker"], name="account_marker"),
        ]

    def __str__(self) -> str:
        return str(self.login)
