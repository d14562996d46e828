"""Whose session it is."""

from rest_framework.request import Request

from propdesk.lib.actors import Actor
from propdesk.lib.mng.errors import PermissionDeniedError
from purchases.models import Customer


def customer_of(request: Request) -> Customer:
    """The customer who acts in a customer session. Raises PermissionDeniedError for a login without an active one."""
    user = request.user
    customer = Customer.objects.filter(user=user).first() if user.is_authenticated else None
    if customer is None:
        raise PermissionDeniedError("This login belongs to no customer.")
    if customer.status != Customer.Status.ACTIVE:
        raise PermissionDeniedError(f"The customer is {customer.get_status_display()}.")
    return customer


def customer_actor(customer: Customer) -> Actor:
    """How event rows name the customer."""
    return Actor(label=f"customer {customer.pk}", user_id=customer.user_id)
