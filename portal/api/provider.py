"""The provider itself: what it shows on documents, pages and mails. There is one, so its address has no id."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from billing.models import PaymentTerms
from billing.payments.terms import LONGEST_DUE, change_terms, terms_of
from customers.logos import LARGEST_FILE, change_logo
from customers.models import ProviderProfile
from customers.profile import change_profile, profile_of
from portal.api.auth import MONEY
from portal.api.base import Resource, operation
from portal.api.fields import BoundedJSONParser, Email, InputSerializer, Lines, OrNull, Text, WholeNumber, Words
from portal.look import logo_url

DUE_HELP = "How many days after their issue documents are due."
ADDRESS_HELP = "The bitcoin address that customers are shown beside what they owe."
COLOUR_HELP = "As #0b5fae. Pages move it until it reads in both themes."


class ProviderSerializer(serializers.Serializer[ProviderProfile]):
    id = serializers.CharField(source="provider.code")
    name = serializers.CharField(source="provider.name")
    legal_name = serializers.CharField()
    address = OrNull(help_text="Several lines.")
    tax_id = OrNull()
    support_email = OrNull()
    support_phone = OrNull()
    support_url = OrNull()
    brand_colour = OrNull(help_text=COLOUR_HELP + " null: the portal's own.")
    logo = serializers.SerializerMethodField(help_text="The address of a PNG of at most 480 by 144 pixels.")

    @extend_schema_field(OpenApiTypes.URI)
    def get_logo(self, profile: ProviderProfile) -> str | None:
        request: Request = self.context["request"]
        return request.build_absolute_uri(logo_url(profile.provider, profile.logo)) if profile.logo else None


class ProviderChangesSerializer(InputSerializer):
    legal_name = Words(max_length=200)
    address = Lines(max_length=500, allow_null=True, help_text="Several lines.")
    tax_id = Words(max_length=64, allow_null=True)
    support_email = Email(max_length=254, allow_null=True)
    support_phone = Words(max_length=40, allow_null=True)
    support_url = Words(max_length=200, allow_null=True, help_text="In full, beginning with https://.")
    brand_colour = Words(max_length=20, allow_null=True, help_text=COLOUR_HELP)


class Picture(Text):
    default_error_messages = {"not_base64": "The picture is not base64."}

    def to_internal_value(self, data: Any) -> bytes:  # type: ignore[override]  # a text comes in, bytes go on
        try:
            return base64.b64decode(super().to_internal_value(data), validate=True)
        except (binascii.Error, ValueError):
            self.fail("not_base64")


class LogoSerializer(InputSerializer):
    picture = Picture(
        allow_null=True,
        help_text="PNG, JPEG or WebP as base64, at most 512 KiB and 2,000 pixels a side. Only its pixels are kept, as a"
        " PNG within 480 by 144. null takes the logo away.",
    )


class PictureParser(BoundedJSONParser):
    largest_body = LARGEST_FILE * 4 // 3 + 1024  # base64, and what is round it


class OwnProvider(Resource[ProviderProfile]):
    resource = "provider"
    one = "provider"
    model = ProviderProfile
    serializer_class = ProviderSerializer

    @operation("What the provider shows of itself")
    def show(self, request: Request) -> Response:
        return self._answer()

    @operation(
        "Change what the provider shows of itself",
        body=ProviderChangesSerializer,
        description="What is not given stays as it is; null takes away. Pages and mails show it at once, documents from"
        " the next one on: issued ones keep what they say.",
    )
    def change(self, request: Request) -> Response:
        change_profile(self.access, now=self.now, **{name: value or "" for name, value in self.body().items()})
        return self._answer()

    def _answer(self) -> Response:
        return Response(self.get_serializer(profile_of(self.access)).data)


class OwnLogo(OwnProvider):
    parser_classes = [PictureParser]

    @operation("Set the provider's logo, or take it away", body=LogoSerializer)
    def change_logo(self, request: Request) -> Response:
        change_logo(self.access, self.body()["picture"], now=self.now)
        return self._answer()


class PaymentTermsSerializer(serializers.Serializer[PaymentTerms]):
    due_days = serializers.IntegerField(help_text=DUE_HELP)
    bitcoin_address = OrNull(help_text=ADDRESS_HELP)


class PaymentTermsChangesSerializer(InputSerializer):
    due_days = WholeNumber(min_value=0, max_value=LONGEST_DUE, help_text=DUE_HELP)
    bitcoin_address = Text(max_length=100, allow_null=True, help_text=ADDRESS_HELP + " null takes it away.")


class OwnPaymentTerms(Resource[PaymentTerms]):
    resource = "provider"
    one = "payment terms"
    model = PaymentTerms
    serializer_class = PaymentTermsSerializer

    @operation("By when documents are due, and where customers pay")
    def show_payment_terms(self, request: Request) -> Response:
        return Response(self.get_serializer(terms_of(self.access)).data)

    @operation(
        "Change by when documents are due, and where customers pay",
        body=PaymentTermsChangesSerializer,
        scope=MONEY,
        description="What is not given stays as it is. Issued documents keep the day they are due.",
    )
    def change_payment_terms(self, request: Request) -> Response:
        asked, terms = self.body(), terms_of(self.access)
        address = asked.get("bitcoin_address", terms.bitcoin_address)
        due_days = asked.get("due_days", terms.due_days)
        change_terms(self.access, due_days=due_days, bitcoin_address=address or "", now=self.now)
        return self.show_payment_terms(request)
