"""What is owed: contracts with their dated terms; documents with their lines, PDF and evidence."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any, cast

from django.db.models import F, Prefetch, Q, QuerySet
from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.urls import reverse
from django.utils.http import content_disposition_header
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from billing import contracts, evidence, files, life, minimum, rereading, settlement
from billing.corrections import Corrected, difference_of
from billing.files import FileState, FileStatus
from billing.holds import omissions
from billing.holds.drafts import Hold, why_held
from billing.holds.omissions import Omission
from billing.issue import Issued, changed_meanwhile, issue, issue_all
from billing.models import (
    Basis,
    Contract,
    ContractComponent,
    ContractVersion,
    Document,
    DocumentLine,
    DocumentStatus,
    DocumentType,
    FeeBearer,
    FileKind,
)
from billing.models.documents import LineComponent, LineKind, LineReason
from billing.settlement import month_of
from billing.split import WHOLE_PPM
from customers import tenancy
from customers.errors import Refused
from customers.models import Customer
from portal.api.auth import MONEY
from portal.api.base import Filter, Resource, operation, wrong
from portal.api.codes import HOLDS
from portal.api.fields import (
    Choice,
    Code,
    Day,
    Flag,
    InputSerializer,
    Month,
    NothingSerializer,
    QueryFlag,
    Text,
    WholeNumber,
    Words,
)
from portal.api.mining import CorrectionSerializer
from portal.file_types import CONTENT_TYPES

ONE_DAY = timedelta(days=1)
FILE_STATES = [state.value for state in FileState]
OMISSIONS = [(kind.value, one) for kind, (one, _) in omissions.WORDS.items()]
DIRECTIONS = ["provider_owes", "customer_owes"]
MOST_SAT = 21_000_000 * 10**8
SHARE_HELP = "The provider's share in parts per million: 150000 is 15 %."
BASIS_HELP = "What is shared: net, after the pool's fee, or gross, before it."
MINIMUM_HELP = "In satoshi: a smaller balance is carried to the next month, but at the end. 0: all is issued."
FEE_HELP = "Who bears the pool's fee on a gross basis; on a net basis it is shared."

# --- Contracts


class ComponentSerializer(serializers.Serializer[ContractComponent]):
    kind = serializers.ChoiceField(choices=ContractComponent.Kind.choices)
    share_ppm = serializers.IntegerField(help_text=SHARE_HELP)
    basis = serializers.ChoiceField(choices=Basis.choices, help_text=BASIS_HELP)
    pool_fee_borne_by = serializers.ChoiceField(choices=FeeBearer.choices, help_text=FEE_HELP)


class VersionSerializer(serializers.Serializer[ContractVersion]):
    valid_from = serializers.DateField(source="valid.lower", help_text="The first day (UTC).")
    valid_to = serializers.SerializerMethodField(help_text="The last day (UTC), inclusive; null: until further notice.")
    settle_in = serializers.ChoiceField(choices=["btc"])
    minimum_sat = serializers.IntegerField(help_text=MINIMUM_HELP)
    components = ComponentSerializer(many=True)

    def get_valid_to(self, version: ContractVersion) -> date | None:
        return None if version.valid.upper is None else version.valid.upper - ONE_DAY


class WithdrawnVersionSerializer(VersionSerializer):
    withdrawn_at = serializers.DateTimeField()
    withdrawn_by = serializers.CharField()


class ContractSerializer(serializers.Serializer[Contract]):
    id = serializers.CharField(source="code")
    customer = serializers.CharField(source="customer.code")
    versions = VersionSerializer(many=True, help_text="The oldest first; their days never overlap.")
    withdrawn_versions = WithdrawnVersionSerializer(
        many=True, source="withdrawn", help_text="Replaced before anything was billed by them: they hold on no day."
    )


class ChangedDaySerializer(serializers.Serializer[contracts.ChangedDay]):
    date = serializers.DateField(source="day")
    rewards = serializers.IntegerField(help_text="How many of that day change.")
    net_sat = serializers.IntegerField(help_text="In satoshi, after the pool's fee.")
    customer_share_before_sat = serializers.IntegerField(
        source="was_sat", allow_null=True, help_text="In satoshi; null: no terms held."
    )
    customer_share_sat = serializers.IntegerField(source="becomes_sat", help_text="In satoshi.")
    difference_sat = serializers.IntegerField(help_text="In satoshi: + the customer would get more.")


class EffectSerializer(serializers.Serializer[contracts.Effect]):
    withdraws = VersionSerializer(many=True, source="withdrawn", help_text="Versions that would be withdrawn.")
    ends = VersionSerializer(allow_null=True, help_text="The version that would end the day before.")
    rewards = serializers.IntegerField(help_text="Rewards that are mined already, and whose split would change.")
    date_from = serializers.DateField(source="first_day", allow_null=True, help_text="The first day of one of them.")
    date_to = serializers.DateField(source="last_day", allow_null=True, help_text="The last day of one of them.")
    difference_sat = serializers.IntegerField(help_text="In satoshi: + the customer would get more, − less.")
    days = ChangedDaySerializer(many=True, help_text="Each day that is mined already and would change.")
    seen_as = serializers.CharField(help_text="Stands for exactly this effect: send it along to agree to just this.")


class NewComponentSerializer(InputSerializer):
    kind = Choice(
        choices=ContractComponent.Kind.choices,
        error_messages={"invalid_choice": 'Components of kind "{input}" are not built yet. Use "revenue_share".'},
    )
    share_ppm = WholeNumber(min_value=0, max_value=WHOLE_PPM, help_text=SHARE_HELP)
    basis = Choice(choices=Basis.choices, help_text=BASIS_HELP)
    pool_fee_borne_by = Choice(choices=FeeBearer.choices, required=False, help_text=FEE_HELP)


class NewVersionSerializer(InputSerializer):
    valid_from = Day(help_text="The first day (UTC) of these terms.")
    settle_in = Choice(
        choices=["btc"],
        error_messages={"invalid_choice": 'Settling in "{input}" is not built yet. Use "btc".'},
    )
    components = NewComponentSerializer(many=True, help_text="Exactly one, a revenue share.")
    minimum_sat = WholeNumber(
        min_value=0, max_value=contracts.LARGEST_MINIMUM_SAT, required=False, help_text=f"{MINIMUM_HELP} Left out: 0."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        # What can not be agreed by itself is 400; what is only in the way of what stands is refused by agree(): 409.
        try:
            contracts.read_terms(attrs["settle_in"], attrs["components"])
        except Refused as refusal:
            raise ValidationError({"components": [str(refusal)]}) from refusal
        return attrs


class SeenVersionSerializer(NewVersionSerializer):
    seen_as = Text(required=False, max_length=64, help_text="As the preview said it: only this effect is agreed to.")


class NewContractSerializer(NewVersionSerializer):
    customer = Code("cus")


class Contracts(ListModelMixin, RetrieveModelMixin, Resource[Contract]):
    resource = "contracts"
    one = "contract"
    model = Contract
    related = ("customer",)
    serializer_class = ContractSerializer
    filters = (Filter("customer", "customer__code", Code, "cus"),)
    enums = {"ComponentKind": ContractComponent.Kind, "Basis": Basis, "FeeBearer": FeeBearer}

    def get_queryset(self) -> QuerySet[Contract]:
        components = ContractComponent.objects.visible_to(self.access).order_by("position")
        versions = ContractVersion.objects.visible_to(self.access).order_by("valid", "pk")
        versions = versions.prefetch_related(Prefetch("components", queryset=components))
        return (
            super()
            .get_queryset()
            .prefetch_related(
                Prefetch("versions", queryset=versions.filter(withdrawn_at__isnull=False), to_attr="withdrawn"),
                Prefetch("versions", queryset=versions.filter(withdrawn_at=None)),
            )
        )

    @operation(
        "Agree a contract",
        body=NewContractSerializer,
        status=201,
        description="A customer has one contract; changed terms are a new version of it.",
    )
    def create(self, request: Request) -> Response:
        asked = self.body()
        customer = Customer.objects.visible_to(self.access).filter(code=asked["customer"]).first()
        if customer is None:
            raise wrong("customer", f"There is no customer {asked['customer']}.")
        contract = contracts.agree(self.access, **{**asked, "customer": customer}, now=self.now)
        return self.answer_anew(contract, located=True)

    @operation(
        "Agree new terms from a day on",
        body=SeenVersionSerializer,
        status=201,
        description="The former version ends the day before. Days that issued documents have billed keep their terms."
        " Versions that were to begin then or later, and that no issued document used, are withdrawn. Where they reach"
        " back the customer is told by mail. With `seen_as` of the preview, another effect by now is refused (409).",
    )
    @action(detail=True, methods=["post"], url_path="versions")
    def add_version(self, request: Request, id: str) -> Response:
        contract = self.row()
        contracts.new_version(self.access, contract, **self.body(), now=self.now)
        return self.answer_anew(contract)

    @operation(
        "What new terms from a day on would do",
        body=NewVersionSerializer,
        answer=EffectSerializer,
        scope="contracts:read",
        description="Which versions they would withdraw, which days that are mined already they would change, and what"
        " that makes for the customer. Nothing is changed.",
    )
    @action(detail=True, methods=["post"], url_path="versions/preview")
    def preview_version(self, request: Request, id: str) -> Response:
        effect = contracts.effect_of(self.access, self.row(), **self.body(), now=self.now)
        return Response(EffectSerializer(effect).data)


# --- Documents


class HoldSerializer(serializers.Serializer[Hold]):
    reason = serializers.CharField(help_text="Why it cannot be issued now, in a sentence.")
    what_to_do = serializers.CharField(help_text="In a sentence.")
    code = serializers.ChoiceField(choices=HOLDS, help_text="What holds it, as the codes of problems say.")

    def to_representation(self, hold: Hold) -> dict[str, Any]:
        return {**super().to_representation(hold), "reason": f"{hold.reason[:1].upper()}{hold.reason[1:]}"}


class FileSerializer(serializers.Serializer[FileStatus]):
    kind = serializers.ChoiceField(choices=FileKind.choices)
    state = serializers.ChoiceField(choices=FILE_STATES)
    problem = serializers.SerializerMethodField(help_text="Why it could not be made; null: nothing has gone wrong.")
    tried_at = serializers.DateTimeField(allow_null=True, help_text="When it failed last.")

    @extend_schema_field(OpenApiTypes.STR)
    def get_problem(self, status: FileStatus) -> str | None:
        return status.problem or None


class OmissionSerializer(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(choices=OMISSIONS)
    subject = serializers.CharField(help_text="The id of the reward, quarantined record or mining account.")
    date = serializers.DateField(source="day", allow_null=True, help_text="null: nobody can tell.")
    words = serializers.CharField(help_text="As the document says it.")


class DocumentSerializer(serializers.Serializer[Document]):
    id = serializers.CharField(source="code")
    type = serializers.ChoiceField(choices=DocumentType.choices)
    direction = serializers.ChoiceField(choices=DIRECTIONS)
    number = serializers.CharField(allow_null=True, help_text="null: not issued.")
    status = serializers.ChoiceField(choices=DocumentStatus.choices)
    customer = serializers.CharField(source="customer.code")
    period = serializers.CharField(source="month", help_text="The month, such as 2026-10.")
    asset = serializers.CharField(help_text="What `total_sat` counts.")
    total_sat = serializers.IntegerField(help_text="In satoshi, never negative; `direction` says who owes it.")
    issued_at = serializers.DateTimeField(allow_null=True)
    due_on = serializers.DateField(allow_null=True, help_text="By when it is to be paid; null: not issued.")
    settled_sat = serializers.SerializerMethodField(
        help_text="In satoshi, how much of the total is paid; null: not issued."
    )
    below_minimum_sat = serializers.SerializerMethodField(
        help_text="In satoshi: the minimum that a draft is below, so that issuing it carries it to the next month."
    )
    held = serializers.SerializerMethodField(help_text="Why a draft cannot be issued; null: nothing holds it.")
    leaves_out = serializers.SerializerMethodField(
        help_text="What it does not know, and says so on its face: of a draft now, of an issued one as it was issued."
    )
    leaves_out_seen_as = serializers.SerializerMethodField(
        help_text="Stands for what of that holds a draft: send it back to let just that pass. null: nothing."
    )
    lines = serializers.SerializerMethodField(help_text="The address of its lines.")
    files = serializers.SerializerMethodField(help_text="How its PDF and its CSV are; empty: it is not issued.")
    pdf = serializers.SerializerMethodField(help_text="The address of the PDF that the customer gets.")
    evidence = serializers.SerializerMethodField(help_text="The address of its lines as CSV, with all figures.")

    def get_settled_sat(self, document: Document) -> int | None:
        return getattr(document, "settled", None)

    @extend_schema_field(serializers.IntegerField(allow_null=True))
    def get_below_minimum_sat(self, document: Document) -> int | None:
        return cast("int | None", self.context["below"].get(document.pk))

    @extend_schema_field(HoldSerializer(allow_null=True))
    def get_held(self, document: Document) -> dict[str, Any] | None:
        hold = self.context["holds"].get(document.pk)
        return None if hold is None else dict(HoldSerializer(hold).data)

    @extend_schema_field(FileSerializer(many=True))
    def get_files(self, document: Document) -> list[dict[str, Any]]:
        return [dict(FileSerializer(status).data) for status in self.context["files"].get(document.pk, [])]

    @extend_schema_field(OmissionSerializer(many=True))
    def get_leaves_out(self, document: Document) -> Any:
        frozen = (document.snapshot or {}).get("left_out") or [
            omission.as_frozen() for omission in self.context["omissions"].get(document.pk, [])
        ]
        return OmissionSerializer(frozen, many=True).data

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_leaves_out_seen_as(self, document: Document) -> str | None:
        holding = omissions.holding(self.context["omissions"].get(document.pk, []))
        return omissions.digest_of(holding) if holding else None

    @extend_schema_field(OpenApiTypes.URI)
    def get_lines(self, document: Document) -> str:
        return self._address("api:documents-lines", document)

    @extend_schema_field(OpenApiTypes.URI)
    def get_pdf(self, document: Document) -> str:
        return self._address("api:documents-pdf", document)

    @extend_schema_field(OpenApiTypes.URI)
    def get_evidence(self, document: Document) -> str:
        return self._address("api:documents-evidence", document)

    def _address(self, name: str, document: Document) -> str:
        request: Request = self.context["request"]
        return request.build_absolute_uri(reverse(name, args=[document.code]))


class CorrectedLineSerializer(serializers.Serializer[DocumentLine]):
    document = serializers.CharField(source="document.code")
    number = serializers.CharField(source="document.number")
    position = serializers.IntegerField()


class DocumentLineSerializer(serializers.Serializer[DocumentLine]):
    position = serializers.IntegerField(help_text="1, 2 …: which line of the document.")
    kind = serializers.ChoiceField(choices=LineKind.choices)
    component = serializers.ChoiceField(
        choices=LineComponent.choices,
        help_text="pay_customer: the customer's part of what the provider holds. "
        "bill_customer: the provider's part of what was paid to the customer.",
    )
    reward = serializers.CharField(source="reward.code")
    date = serializers.DateField(source="day", help_text="The reward's day (UTC).")
    amount_sat = serializers.IntegerField(help_text="In satoshi; + the provider owes it, − the customer owes it.")
    provider_share_sat = serializers.IntegerField(help_text="In satoshi; a correction holds the difference.")
    customer_share_sat = serializers.IntegerField(help_text="In satoshi; a correction holds the difference.")
    reason = serializers.ChoiceField(
        choices=LineReason.choices, allow_null=True, help_text="Why it is a correction; null: it is none."
    )
    corrects = CorrectedLineSerializer(
        allow_null=True, help_text="The line of an issued document that billed this reward last."
    )

    def to_representation(self, line: DocumentLine) -> dict[str, Any]:
        return {**super().to_representation(line), "reason": line.reason or None}


def _attachment(name: str) -> dict[str, str]:
    return {"Content-Disposition": str(content_disposition_header(True, name))}


class PeriodSerializer(InputSerializer):
    period = Month(help_text="The month, such as 2026-10.")


class PreviewSerializer(serializers.Serializer[settlement.Preview]):
    customer = serializers.CharField(source="customer.code")
    type = serializers.ChoiceField(choices=DocumentType.choices)
    direction = serializers.ChoiceField(choices=DIRECTIONS)
    total_sat = serializers.IntegerField(help_text="In satoshi, never negative; `direction` says who owes it.")
    lines = serializers.IntegerField(source="line_count", help_text="How many.")
    below_minimum_sat = serializers.IntegerField(
        source="below_sat",
        allow_null=True,
        help_text="In satoshi: the minimum that it is below, so that it would be carried.",
    )
    held = HoldSerializer(
        source="hold", allow_null=True, help_text="Why it could not be issued; null: nothing holds it."
    )


class PreviewsSerializer(serializers.Serializer[Any]):
    data = PreviewSerializer(many=True)  # type: ignore[assignment]  # DRF takes declared fields out of the class


class DraftsSerializer(serializers.Serializer[Any]):
    data = DocumentSerializer(many=True)  # type: ignore[assignment]  # DRF takes declared fields out of the class
    accounts_not_read_again = serializers.IntegerField(
        help_text="How many accounts were not read again, from their first reward on, since the month ended. It is"
        " asked for: close again when this is 0, and corrections of old rewards are on the drafts."
    )


class SeenDocumentSerializer(InputSerializer):
    total_sat = WholeNumber(min_value=0, max_value=MOST_SAT, help_text="In satoshi, as you read it of this draft.")
    final = Flag(required=False, help_text="true: issue it also below the minimum, since the customer leaves.")


class LetPassSerializer(InputSerializer):
    seen_as = Text(max_length=64, help_text="`leaves_out_seen_as`, as you read it of this draft.")
    note = Words(max_length=omissions.LONGEST_NOTE, help_text="Why, for whoever asks later.")


class NotIssuedSerializer(serializers.Serializer[Hold]):
    document = serializers.CharField(source="document.code")
    reason = serializers.CharField(help_text="Why it cannot be issued now.")


class IssuedSerializer(serializers.Serializer[Issued]):
    issued = serializers.SerializerMethodField(help_text="The ids of the documents, in the order of their numbers.")
    held = NotIssuedSerializer(many=True, help_text="Drafts that were left out.")
    carried = serializers.SerializerMethodField(
        help_text="The ids of those below their minimum: the next month bills what is on them."
    )

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_issued(self, issued: Issued) -> list[str]:
        return [document.code for document in issued.documents]

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_carried(self, issued: Issued) -> list[str]:
        return [document.code for document in issued.carried]


class ChangedRewardSerializer(serializers.Serializer[Corrected]):
    reward = serializers.CharField(source="reward.code")
    date = serializers.DateField(source="reward.day")
    correction = CorrectionSerializer()


class ChangesSerializer(serializers.Serializer[Any]):
    data = ChangedRewardSerializer(many=True)  # type: ignore[assignment]  # DRF takes declared fields out of the class
    next = serializers.URLField(allow_null=True, help_text="Always null: all are here.")
    difference_sat = serializers.IntegerField(
        help_text="In satoshi: how much more than it says the customer's part of its month comes to now."
    )


class ReasonSerializer(InputSerializer):
    reason = Words(max_length=200, help_text="Why, for whoever looks at it later.")


class WriteOffSerializer(ReasonSerializer):
    open_sat = WholeNumber(min_value=1, max_value=MOST_SAT, help_text="In satoshi: what is open, as you read it.")


def open_or_not(documents: QuerySet[Document], is_open: bool, _: datetime) -> QuerySet[Document]:
    still_open = Q(status=DocumentStatus.ISSUED, opened__settled__lt=F("opened__total"))
    return documents.filter(still_open) if is_open else documents.exclude(still_open)


def of_month(documents: QuerySet[Document], month: date, _: datetime) -> QuerySet[Document]:
    return documents.filter(period=month_of(month))


def of_failed_files(documents: QuerySet[Document], failed: bool, _: datetime) -> QuerySet[Document]:
    return files.with_failed(documents) if failed else documents


class Documents(ListModelMixin, RetrieveModelMixin, Resource[Document]):
    resource = "documents"
    one = "document"
    model = Document
    related = ("customer",)
    serializer_class = DocumentSerializer
    filters = (
        Filter("customer", "customer__code", Code, "cus"),
        Filter("status", "status", serializers.ChoiceField, DocumentStatus.choices),
        Filter("open", open_or_not, QueryFlag, help_text="true: issued, and not paid in full."),
        Filter("period", of_month, Month, help_text="The month, such as 2026-10."),
        Filter("file_failed", of_failed_files, QueryFlag, help_text="true: only those with a file that failed."),
    )
    enums = {
        "DocumentType": DocumentType,
        "DocumentStatus": DocumentStatus,
        "LineKind": LineKind,
        "LineComponent": LineComponent,
        "LineReason": LineReason,
        "FileKind": FileKind,
        "FileState": FILE_STATES,
        "OmissionKind": OMISSIONS,
    }
    holds: dict[int, Hold]
    omissions: dict[int, list[Omission]]
    files: dict[int, list[FileStatus]]
    below: dict[int, int]

    def get_queryset(self) -> QuerySet[Document]:
        return super().get_queryset().annotate(settled=F("opened__settled"))

    def shown(self, rows: list[Document]) -> list[Document]:
        drafts = [document for document in rows if document.status == DocumentStatus.DRAFT]
        self.holds, self.omissions = why_held(self.access, drafts), omissions.on_documents(self.access, drafts)
        self.files = files.statuses(self.access, rows)
        self.below = minimum.below(self.access, drafts)
        return rows

    @operation(
        "What closing a month would make",
        body=PeriodSerializer,
        answer=PreviewsSerializer,
        description="Every draft that the month would have after a close now. Nothing is changed.",
    )
    @action(detail=False, methods=["post"])
    def preview(self, request: Request) -> Response:
        previews: Any = settlement.preview(self.access, month=self.body()["period"], now=self.now)
        return Response({"data": PreviewSerializer(previews, many=True).data})

    @operation(
        "Close a month",
        body=PeriodSerializer,
        answer=DraftsSerializer,
        description="Makes the month's drafts anew where something has changed, and answers them all. Repeating is"
        " safe. What issued documents have billed is corrected on the next ones.",
    )
    @action(detail=False, methods=["post"])
    def close(self, request: Request) -> Response:
        month = self.body()["period"]
        drafts = settlement.close_period(self.access, month=month, now=self.now)
        unread = rereading.not_read_again(self.access, month_of(month)).count()
        return Response({"data": self.get_serializer(drafts, many=True).data, "accounts_not_read_again": unread})

    @operation(
        "Issue the drafts of a month",
        body=PeriodSerializer,
        answer=IssuedSerializer,
        scope=MONEY,
        key_required=True,
        description="All that nothing holds, or none: one that has changed since the month was closed is refused (409)"
        " with the others. Those that are held are left out, and named.",
    )
    @action(detail=False, methods=["post"], url_path="issue")
    def issue_month(self, request: Request) -> Response:
        drafts = settlement.drafts_of(self.access, self.body()["period"])
        return Response(IssuedSerializer(issue_all(self.access, drafts, now=self.now)).data)

    @operation(
        "Issue a draft",
        body=SeenDocumentSerializer,
        scope=MONEY,
        key_required=True,
        description="It is numbered and never changes again. Say the total that you read: a draft that says another by"
        " now is refused (409).",
    )
    @action(detail=True, methods=["post"], url_path="issue")
    def issue_one(self, request: Request, id: str) -> Response:
        seen, draft = self.body(), self.get_object()
        if draft.status == DocumentStatus.DRAFT and draft.total_sat != seen["total_sat"]:
            raise changed_meanwhile()
        return self.answer_anew(issue(self.access, draft, final=seen.get("final", False), now=self.now))

    @operation(
        "Let pass what a draft leaves out",
        body=LetPassSerializer,
        scope=MONEY,
        description="Say what you saw: what has changed since is refused (409). It then no longer holds the draft,"
        " which says on its face what it leaves out. A new cause holds it again.",
    )
    @action(detail=True, methods=["post"], url_path="let-pass")
    def let_pass(self, request: Request, id: str) -> Response:
        seen, draft = self.body(), self.row()
        omissions.let_pass(self.access, draft, seen_as=seen["seen_as"], note=seen["note"], now=self.now)
        return self.answer_anew(draft)

    @operation(
        "Discard a draft",
        body=NothingSerializer,
        description="For ever. The next close of its month makes a new one, if there is something to bill.",
    )
    @action(detail=True, methods=["post"])
    def discard(self, request: Request, id: str) -> Response:
        self.body()
        draft = self.get_object()
        settlement.discard(self.access, draft, now=self.now)
        return self.answer(draft)

    @operation(
        "Void a document",
        body=ReasonSerializer,
        scope=MONEY,
        key_required=True,
        description="As if it had not been issued: its number stays used, and the next close of its month bills anew"
        " what it billed. Only while nothing of it is paid and no later document corrects it (409).",
    )
    @action(detail=True, methods=["post"])
    def void(self, request: Request, id: str) -> Response:
        asked, document = self.body(), self.get_object()
        life.void(self.access, document, reason=asked["reason"], now=self.now)
        return self.answer_anew(document)

    @operation(
        "Write an invoice off",
        body=WriteOffSerializer,
        scope=MONEY,
        key_required=True,
        description="What is open of it is given up; what it billed stays billed. A late payment that names it, or"
        " taking it up again, undoes that. Say what is open, as you read it: refused (409) where it is another amount.",
    )
    @action(detail=True, methods=["post"], url_path="write-off")
    def write_off(self, request: Request, id: str) -> Response:
        asked, document = self.body(), self.get_object()
        life.write_off(self.access, document, reason=asked["reason"], seen_open=asked["open_sat"], now=self.now)
        return self.answer_anew(document)

    @operation(
        "Take a written-off invoice up again",
        body=ReasonSerializer,
        scope=MONEY,
        key_required=True,
        description="What was open of it when it was written off is open again.",
    )
    @action(detail=True, methods=["post"], url_path="take-up-again")
    def take_up_again(self, request: Request, id: str) -> Response:
        asked, document = self.body(), self.get_object()
        life.take_up_again(self.access, document, reason=asked["reason"], now=self.now)
        return self.answer_anew(document)

    def get_serializer_context(self) -> dict[str, Any]:
        asked = {"holds": self.holds, "omissions": self.omissions, "files": self.files, "below": self.below}
        return {**super().get_serializer_context(), **asked}

    @operation(
        "What changed after a document was issued",
        answer=ChangesSerializer,
        description="The document stays as it was issued; each of these is put right on a later one.",
    )
    @action(detail=True)
    def changes(self, request: Request, id: str) -> Response:
        document = self.row()
        difference = difference_of(self.access, document.customer, document.first_day)
        of_this = difference if difference is not None and difference.document == document else None
        answer = {
            "data": of_this.rewards if of_this else [],
            "next": None,
            "difference_sat": of_this.customer_sat if of_this else 0,
        }
        return Response(ChangesSerializer(answer).data)

    @operation("List a document's lines, in their order", answer=DocumentLineSerializer(many=True), paged=True)
    @action(detail=True, filters=(), order=("position",), row_name="position")
    def lines(self, request: Request, id: str) -> Response:
        lines = DocumentLine.objects.visible_to(self.access).filter(document=self.row())
        page: Any = self.paginate_queryset(cast("Any", lines.select_related("reward", "corrects__document")))
        return self.get_paginated_response(DocumentLineSerializer(page, many=True).data)

    @operation(
        "Make a document's failed files anew",
        body=NothingSerializer,
        status=202,
        description="A worker makes them now instead of after a wait that grows with each try.",
    )
    @action(detail=True, methods=["post"], url_path="retry-files")
    def retry_files(self, request: Request, id: str) -> Response:
        self.body()
        document = self.row()
        files.retry(self.access, document, now=self.now)
        return self.answer(document, located=True)

    @operation(
        "A document as PDF",
        answer=OpenApiTypes.BINARY,
        media_type="application/pdf",
        may_conflict=True,
        description="Made once after issue, then always the same bytes. 409 while it is being made, when it failed, and"
        " for drafts.",
    )
    @action(detail=True)
    def pdf(self, request: Request, id: str) -> HttpResponse:
        return self._file(self.row(), FileKind.PDF)

    @operation(
        "A document's lines as CSV, with all figures they are computed from",
        answer=OpenApiTypes.STR,
        media_type="text/csv",
        may_conflict=True,
        description="Of an issued document made once, then always the same bytes. 409 while it is being made, and when"
        " it failed.",
    )
    @action(detail=True)
    def evidence(self, request: Request, id: str) -> HttpResponseBase:
        document = self.row()
        if document.number is not None:
            return self._file(document, FileKind.CSV)
        return StreamingHttpResponse(
            tenancy.stream(self.access, lambda: evidence.csv_rows(document)),
            content_type=CONTENT_TYPES[FileKind.CSV],
            headers=_attachment(f"{document.code}.csv"),
        )

    def _file(self, document: Document, kind: FileKind) -> HttpResponse:
        content = files.content_of(self.access, document, kind)
        return HttpResponse(content, content_type=CONTENT_TYPES[kind], headers=_attachment(f"{document.number}.{kind}"))
