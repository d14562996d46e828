from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Q

from propdesk.lib.fields import EncryptedTextField
from propdesk.lib.money import MoneyField


class AccountMode(models.IntegerChoices):
    """`account_mode` of a ScaleTrade group (api-facts 3)."""

    DEMO = 0, "DEMO"
    REAL = 1, "REAL"


class BrokerConnection(models.Model):
    """One broker API: where it is, its key, and how patient we are with it."""

    class KeyHeader(models.TextChoices):
        AUTHORIZATION = "Authorization", "Authorization"
        API_KEY = "ApiKey", "ApiKey"
        DOCUMENTED = "documented", "as documented per endpoint"

    name = models.CharField(max_length=100, unique=True)
    base_url = models.URLField(help_text="Scheme and host, without /cportal. The host must be on the allow-list.")
    api_key = EncryptedTextField(help_text="Write-only: stored encrypted and never shown again.")
    key_header = models.CharField(
        max_length=20,
        choices=KeyHeader.choices,
        default=KeyHeader.AUTHORIZATION,
        help_text="Which header carries the key. The vendor's page names ApiKey for account-transfers only.",
    )
    is_enabled = models.BooleanField("enabled", default=True, help_text="Off: no call is made to this broker.")
    deadline_seconds = models.PositiveSmallIntegerField(
        default=10,
        validators=[MinValueValidator(1), MaxValueValidator(120)],
        help_text="Total wall-clock time one call may take, with the reply; the list of a whole unit twice that.",
    )
    settle_seconds = models.PositiveSmallIntegerField(
        default=15,
        validators=[MinValueValidator(1), MaxValueValidator(900)],
        help_text="How long after a call in doubt its effect may still appear, before it counts as absent.",
    )
    quarantine_seconds = models.PositiveSmallIntegerField(
        default=60,
        validators=[MinValueValidator(1), MaxValueValidator(1200)],
        help_text="How long an order that was ever in doubt waits before its account is enabled.",
    )
    calls_per_second = models.PositiveSmallIntegerField(
        default=100, help_text="What each of our processes may ask of this broker at most; 0: no limit."
    )
    breaker_opened_at = models.DateTimeField(
        null=True, editable=False, help_text="Since when a process leaves the broker alone because it does not answer."
    )
    breaker_reason = models.TextField(blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class AccountGroup(models.Model):
    """A trading group: the name the Mng API uses, plus the broker's own group string and unit."""

    name = models.CharField(
        max_length=64,
        unique=True,
        validators=[RegexValidator(r"^[A-Za-z0-9_.:-]+$", "Letters, digits and _ . : - only.")],
        help_text="The name that programs and the Mng API use, such as PROP_DEMO_USD.",
    )
    connection = models.ForeignKey(BrokerConnection, on_delete=models.PROTECT, related_name="groups")
    mode = models.SmallIntegerField(choices=AccountMode.choices)
    currency = models.CharField(max_length=3)
    default_deposit = MoneyField(help_text="What a new account of this group is funded with.")
    broker_group = models.CharField(
        max_length=128, help_text="The broker's group string, such as 49295660:ThinkTrader_Proptec."
    )
    unit = models.BigIntegerField(help_text="The broker's unit (its trading group id).")
    is_enabled = models.BooleanField("enabled", default=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ("name",)
        constraints = [
            models.CheckConstraint(condition=Q(default_deposit__gte=0), name="group_deposit_not_negative"),
            models.CheckConstraint(condition=Q(currency__regex=r"^[A-Z]{3}$"), name="group_currency_iso"),
            models.CheckConstraint(condition=Q(mode__in=AccountMode.values), name="group_mode_known"),
        ]

    def __str__(self) -> str:
        return self.name
