from typing import Any

from django.forms.renderers import DjangoTemplates
from django.template import loader


class PortalRenderer(DjangoTemplates):
    """`{{ form }}` and `{{ form.field.as_field_group }}` in the portal's look: templates/forms/.

    Widgets stay Django's own. Path not taken: TemplatesSetting, which needs django.forms among the apps.
    """

    form_template_name = "forms/form.html"
    field_template_name = "forms/field.html"

    def get_template(self, template_name: str) -> Any:  # as Django and its stubs have it
        if template_name.startswith("forms/"):
            return loader.get_template(template_name)
        return super().get_template(template_name)
