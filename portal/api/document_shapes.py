"""What the API says of documents, and what it takes."""

from __future__ import annotations

from typing import Any, cast

from django.urls import reverse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request

from billing import settlement
from billing.corrections import Corrected
from billing.files import FileState, FileStatus
from billing.holds import omissions
from billing.holds.drafts import Hold
from billing.issue import Issued
from billing.models import (
    Document,
    DocumentLine,
    DocumentStatus,
    DocumentType,
    FileKind,
)
from billing.models.documents import LineComponent, LineKind, LineReason
from portal.api.codes import HOLDS
from portal.api.fields import (
    Flag,
    InputSerializer,
    Month,
    Text,
    WholeNumber,
    Words,
)
from portal.api.rewards import CorrectionSerializer

FILE_STATES = [state.value for state in FileState]


OMISSIONS = [(kind.value, one) for kind, (one, _) in omissions.WORDS.items()]


DIRECTIONS = ["provider_owes", "customer_owes"]


MOST_SAT = 21_000_000 * 10**8


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
