"""What a customer looks at before buying. Only the customer's own payer accounts are ever shown or read."""

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from programs.models import Program
from propdesk.lib.access.permissions import CustomerSession
from propdesk.lib.mng.errors import NotFoundError
from propdesk.lib.times import utc_now
from purchases.api.customers import customer_of
from purchases.api.offers import PayerAccountRows, PreviewOutput, payer_account_json, preview_json
from purchases.api.programs import OfferedProgram, OfferedPrograms, ProgramsInput, program_json
from purchases.api.purchases import PreviewInput
from purchases.services import offers_for, preview


class CustomerView(APIView):
    """Open to the customer session only."""

    permission_classes: tuple[type[BasePermission], ...] = (CustomerSession,)


class ProgramListView(CustomerView):
    @extend_schema(operation_id="client_programs_list", parameters=[ProgramsInput], responses=OfferedPrograms)
    def get(self, request: Request) -> Response:
        """The programs on sale of a brand, by default the customer's own, in their sort order."""
        customer = customer_of(request)
        given = ProgramsInput(data=request.query_params.dict())
        given.is_valid(raise_exception=True)
        brand = given.validated_data["brand"] or customer.brand
        return Response({"rows": [program_json(program) for program in _on_sale().filter(brand=brand)]})


class ProgramView(CustomerView):
    @extend_schema(responses=OfferedProgram)
    def get(self, request: Request, program_id: int) -> Response:
        """One program on sale."""
        customer_of(request)
        return Response(program_json(_on_sale_program(program_id)))


class PayerAccountsView(CustomerView):
    @extend_schema(responses=PayerAccountRows)
    def get(self, request: Request, program_id: int) -> Response:
        """The customer's payer accounts with their balances, and whether each can pay for this program."""
        offers = offers_for(customer=customer_of(request), program_id=program_id, now=utc_now())
        return Response({"rows": [payer_account_json(offer) for offer in offers]})


class PreviewView(CustomerView):
    @extend_schema(request=PreviewInput, responses=PreviewOutput)
    def post(self, request: Request) -> Response:
        """Whether a buy would be accepted now. It creates nothing."""
        customer = customer_of(request)
        given = PreviewInput(data=request.data)
        given.is_valid(raise_exception=True)
        return Response(preview_json(preview(customer=customer, now=utc_now(), **given.validated_data)))


def _on_sale() -> QuerySet[Program]:
    return (
        Program.objects.filter(status=Program.Status.ACTIVE)
        .prefetch_related("phases__account_group")
        .order_by("sort_index", "id")
    )


def _on_sale_program(program_id: int) -> Program:
    program = _on_sale().filter(pk=program_id).first()
    if program is None:
        raise NotFoundError(f"There is no program {program_id} on sale.")
    return program
