"""What customers see of their challenges. Rows of somebody else do not exist for them: 404."""

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from challenges.api.rows import breach_json, challenge_json, details_json, metric_json
from challenges.api.shapes import BreachRows, BuyOutput, ChallengeDetails, MetricRows, MetricsInput, MineOutput
from challenges.models import Breach, Challenge, Enrollment, MetricSnapshot
from propdesk.lib.mng.errors import NotFoundError
from propdesk.lib.times import utc_now
from purchases.api.customers import customer_actor, customer_of
from purchases.api.purchases import BuyInput, purchase_json
from purchases.api.views import CustomerView
from purchases.models import Purchase
from purchases.services import buy


class BuyView(CustomerView):
    @extend_schema(request=BuyInput, responses={202: BuyOutput})
    def post(self, request: Request) -> Response:
        """Buy a challenge. It is accepted at once; payment, account and challenge follow."""
        customer = customer_of(request)
        given = BuyInput(data=request.data)
        given.is_valid(raise_exception=True)
        sale = buy(customer=customer, by=customer_actor(customer), now=utc_now(), **given.validated_data)
        challenge = Challenge.objects.filter(purchase=sale.purchase).first()
        body = {
            "accepted": True,
            "idempotent": sale.idempotent,
            "purchase": purchase_json(sale.purchase),
            "challenge": challenge_json(challenge) if challenge else None,
        }
        return Response(body, status=202)


class ChallengeListView(CustomerView):
    @extend_schema(operation_id="client_prop_challenges_list", responses=MineOutput)
    def get(self, request: Request) -> Response:
        """The customer's purchases and challenges, the newest first; a purchase may have no challenge (yet)."""
        customer = customer_of(request)
        purchases = Purchase.objects.filter(customer=customer).select_related("payer__account").order_by("-id")
        challenges = Challenge.objects.filter(customer=customer).order_by("-id")
        body = {
            "purchases": [purchase_json(purchase) for purchase in purchases],
            "challenges": [challenge_json(challenge) for challenge in challenges],
        }
        return Response(body)


class ChallengeView(CustomerView):
    @extend_schema(responses=ChallengeDetails)
    def get(self, request: Request, challenge_id: int) -> Response:
        """One challenge with every phase: account, latest figures, progress, levels and what remains to them."""
        return Response(details_json(_own_challenge(request, challenge_id)))


class ChallengeMetricsView(CustomerView):
    @extend_schema(parameters=[MetricsInput], responses=MetricRows)
    def get(self, request: Request, challenge_id: int) -> Response:
        """The latest points of the challenge's time series, the oldest first."""
        challenge = _own_challenge(request, challenge_id)
        given = MetricsInput(data=request.query_params.dict())
        given.is_valid(raise_exception=True)
        phases = dict(Enrollment.objects.filter(challenge=challenge).values_list("pk", "phase_index"))
        metrics = MetricSnapshot.objects.filter(enrollment_id__in=phases).order_by("-at", "-id")
        latest = list(metrics[: given.validated_data["limit"]])
        return Response({"rows": [metric_json(metric, phases) for metric in reversed(latest)]})


class ChallengeBreachesView(CustomerView):
    @extend_schema(responses=BreachRows)
    def get(self, request: Request, challenge_id: int) -> Response:
        """Every broken rule of the challenge with its evidence, the latest first."""
        challenge = _own_challenge(request, challenge_id)
        return Response({"rows": [breach_json(breach) for breach in _breaches(challenge)]})


def _own_challenge(request: Request, challenge_id: int) -> Challenge:
    challenge = Challenge.objects.for_details().filter(pk=challenge_id, customer=customer_of(request)).first()
    if challenge is None:
        raise NotFoundError(f"There is no challenge {challenge_id}.")
    return challenge


def _breaches(challenge: Challenge) -> QuerySet[Breach]:
    return Breach.objects.filter(enrollment__challenge=challenge).select_related("enrollment").order_by("-id")
