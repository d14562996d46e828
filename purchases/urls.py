"""The customer's paths that need no challenge. Those that show challenges are in `challenges.urls`."""

from django.urls import path

from purchases.api.views import PayerAccountsView, PreviewView, ProgramListView, ProgramView

urlpatterns = [
    path("client/prop/programs", ProgramListView.as_view(), name="client-programs"),
    path("client/prop/programs/<int:program_id>", ProgramView.as_view(), name="client-program"),
    path("client/prop/programs/<int:program_id>/payer-accounts", PayerAccountsView.as_view(), name="client-payers"),
    path("client/prop/challenge/preview", PreviewView.as_view(), name="client-preview"),
]
