import pytest

from challenges.demo.people import ensure_admin
from propdesk.lib.access.sessions import Session
from propdesk.lib.access.signing_in import sign_in
from propdesk.lib.times import utc_now


@pytest.mark.django_db
def test_the_demos_administrator_signs_in_to_the_api_with_the_same_name_and_password() -> None:
    admin = ensure_admin({})

    signed_in = sign_in(username=admin["username"], password=admin["password"], session=None, now=utc_now())

    assert signed_in.token.session == Session.ADMIN


@pytest.mark.django_db
def test_a_second_start_keeps_the_password() -> None:
    admin = ensure_admin({})

    assert ensure_admin({"admin": admin}) == admin
