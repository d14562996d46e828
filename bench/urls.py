"""What most Django projects would write for the same table: a list view with a ModelSerializer."""

from typing import Any

from django.urls import path
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.renderers import JSONRenderer

from programs.api.commands import PROGRAMS
from programs.models import Program
from propdesk.lib.access.permissions import StaffSession
from propdesk.urls import urlpatterns as product

FIELDS = [{"created_time": "created_at", "updated_time": "updated_at"}.get(name, name) for name in PROGRAMS.structure]


class ProgramSerializer(serializers.ModelSerializer[Program]):
    class Meta:
        model = Program
        fields = FIELDS


class PeerView(ListAPIView[Program]):
    serializer_class = ProgramSerializer
    permission_classes = (StaffSession,)
    renderer_classes = (JSONRenderer,)

    def get_queryset(self) -> Any:
        limit = int(self.request.query_params["limit"])
        return Program.objects.filter(status=Program.Status.ACTIVE).order_by("sort_index", "id")[:limit]


urlpatterns = [*product, path("bench/model-serializer", PeerView.as_view())]
