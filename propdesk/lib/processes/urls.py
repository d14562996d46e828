"""The health pages."""

from django.urls import path

from propdesk.lib.processes.views import healthz, readyz

urlpatterns = [
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
]
