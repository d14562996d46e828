"""The customer's paths that show challenges."""

from django.urls import path

from challenges.api.views import (
    BuyView,
    ChallengeBreachesView,
    ChallengeListView,
    ChallengeMetricsView,
    ChallengeView,
)

urlpatterns = [
    path("client/prop/challenge/buy", BuyView.as_view(), name="client-buy"),
    path("client/prop/challenges", ChallengeListView.as_view(), name="client-challenges"),
    path("client/prop/challenges/<int:challenge_id>", ChallengeView.as_view(), name="client-challenge"),
    path("client/prop/challenges/<int:challenge_id>/metrics", ChallengeMetricsView.as_view(), name="client-metrics"),
    path("client/prop/challenges/<int:challenge_id>/breaches", ChallengeBreachesView.as_view(), name="client-breaches"),
]
