"""Steps of the customer's journey that several flows take, through the public API."""

from typing import Any

from tests.flows.stack import Stack, wait_until


def buy(stack: Stack, customer: dict[str, Any], *, program_id: int, key: str) -> dict[str, Any]:
    """Press the button, again if the broker did not tell the balance within the second that it has."""

    def press() -> dict[str, Any] | None:
        reply = stack.call(
            "POST",
            "/client/prop/challenge/buy",
            token=customer["token"],
            body={"program_id": program_id, "payer_login": customer["payer_login"], "idempotency_key": key},
        )
        if reply.status_code == 400 and reply.json()["error"] == "PAYER_BALANCE_UNAVAILABLE":
            return None
        assert reply.status_code == 202, reply.text
        return dict(reply.json()["purchase"])

    return dict(wait_until(press, what="the purchase is accepted"))


def status(stack: Stack) -> str:
    """What /readyz says."""
    return str(stack.call("GET", "/readyz").json()["status"])


def active_challenge(stack: Stack, customer: dict[str, Any], purchase_id: int) -> dict[str, Any]:
    """The purchase's challenge, once the purchase is active."""

    def look() -> dict[str, Any] | None:
        mine = stack.call("GET", "/client/prop/challenges", token=customer["token"]).json()
        purchase = next(row for row in mine["purchases"] if row["id"] == purchase_id)
        assert purchase["status_name"] != "failed", purchase
        found = [row for row in mine["challenges"] if row["purchase_id"] == purchase_id]
        return found[0] if purchase["status_name"] == "active" and found else None

    return dict(wait_until(look, what="the purchase is active"))


def card(stack: Stack, customer: dict[str, Any], challenge_id: int) -> dict[str, Any]:
    reply = stack.call("GET", f"/client/prop/challenges/{challenge_id}", token=customer["token"])
    assert reply.status_code == 200, reply.text
    return dict(reply.json())
