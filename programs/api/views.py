"""`/api/v1/programs/`: the same commands as a REST resource, for staff sessions."""

from typing import Any, cast

import django_filters
from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, viewsets
from rest_framework.decorators import action
from rest_framework.filters import OrderingFilter
from rest_framework.pagination import LimitOffsetPagination
from rest_framework.request import Request
from rest_framework.response import Response

from programs.api import commands
from programs.api.inputs import CreateInput, UpdateInput
from programs.api.outputs import ProgramCard, ProgramDeleted, ProgramPage, ProgramTable
from programs.api.shapes import program_json
from programs.models import Program
from propdesk.lib.access.models import ApiToken
from propdesk.lib.access.permissions import StaffSession
from propdesk.lib.mng.commands import Caller, Command
from propdesk.lib.mng.renderers import json_response
from propdesk.lib.mng.table import TableInput
from propdesk.lib.times import utc_now


class ProgramFilter(django_filters.FilterSet):  # type: ignore[misc]
    name = django_filters.CharFilter(lookup_expr="icontains", help_text="Part of the name, in any case.")
    price_min = django_filters.NumberFilter("price", "gte")
    price_max = django_filters.NumberFilter("price", "lte")

    class Meta:
        model = Program
        fields = ("brand", "status", "price_currency", "demo_group")


class ProgramPages(LimitOffsetPagination):
    default_limit = 50
    max_limit = 1000


PROGRAM_ID = OpenApiParameter("id", {"type": "integer", "minimum": 0, "maximum": 10**18 - 1}, OpenApiParameter.PATH)
LIST_PARAMETERS = [
    *(OpenApiParameter(name) for name in ("brand", "price_currency", "demo_group")),
    OpenApiParameter("name", description="Part of the name, in any case."),
    OpenApiParameter("status", OpenApiTypes.INT, enum=Program.Status.values),
    *(OpenApiParameter(name, OpenApiTypes.NUMBER) for name in ("price_min", "price_max")),
    OpenApiParameter("ordering", description="A field, such as `price` or `-price`; several with commas."),
    *(OpenApiParameter(name, OpenApiTypes.INT) for name in ("limit", "offset")),
]


class ProgramViewSet(viewsets.ViewSet):
    """Programs. Every action runs the command of the same meaning; the answer is the command's `data`."""

    permission_classes = (StaffSession,)
    serializer_class = serializers.Serializer
    lookup_value_regex = "[0-9]{1,18}"
    ordering_fields = ("id", "name", "price", "status", "sort_index", "created_at", "updated_at")
    ordering = ("sort_index", "id")

    @extend_schema(operation_id="api_v1_programs_list", parameters=LIST_PARAMETERS, responses={200: ProgramPage})
    def list(self, request: Request) -> Response:
        """Programs without their steps, filtered, ordered (`ordering=price` or `-price`) and paged."""
        chosen = ProgramFilter(request.query_params, Program.objects.prefetch_related("phases"))
        if not chosen.is_valid():
            raise serializers.ValidationError(chosen.errors)
        pages = ProgramPages()
        page = pages.paginate_queryset(OrderingFilter().filter_queryset(request, chosen.qs, self), request, self)
        return pages.get_paginated_response([program_json(row, list(row.phases.all())) for row in page or ()])

    @extend_schema(request=CreateInput, responses={201: ProgramCard})
    def create(self, request: Request) -> Response:
        return Response(_run(commands.CREATE, request, request.data), status=201)

    @extend_schema(parameters=[PROGRAM_ID], responses=ProgramCard)
    def retrieve(self, request: Request, pk: str) -> Response:
        return Response(_run(commands.GET, request, {"id": int(pk)}))

    @extend_schema(parameters=[PROGRAM_ID], request=UpdateInput, responses=ProgramCard)
    def partial_update(self, request: Request, pk: str) -> Response:
        # What is no object goes on as it is, and is refused.
        changes = {**request.data, "id": int(pk)} if isinstance(request.data, dict) else request.data
        return Response(_run(commands.UPDATE, request, changes))

    @extend_schema(parameters=[PROGRAM_ID], responses={200: ProgramDeleted})
    def destroy(self, request: Request, pk: str) -> Response:
        return Response(_run(commands.DELETE, request, {"id": int(pk)}))

    @extend_schema(request=TableInput, responses={200: ProgramTable})
    @action(detail=False, methods=["post"], url_path="by-filter")
    def by_filter(self, request: Request) -> HttpResponseBase:
        return json_response(_run(commands.BY_FILTER, request, request.data))


def _run(command: Command, request: Request, data: Any) -> dict[str, Any]:
    # `StaffSession` has seen to it that there is one.
    token = cast("ApiToken", request.auth)
    return command.execute(data, Caller.of(token, now=utc_now()))
