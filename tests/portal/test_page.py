import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from django import forms
from django.template import Context, Template
from django.template.loader import get_template, render_to_string
from django.test import RequestFactory

from customers import tenancy
from portal.forms.renderer import PortalRenderer
from portal.templatetags import page
from tests.world import World

TEMPLATES = Path(__file__).resolve().parents[2] / "templates"
EVERY_TEMPLATE = sorted(str(path.relative_to(TEMPLATES)) for path in TEMPLATES.rglob("*.*"))


@pytest.mark.parametrize("name", EVERY_TEMPLATE)
def test_every_template_is_well_formed_and_keeps_to_the_content_policy(name: str) -> None:
    get_template(name)
    source = (TEMPLATES / name).read_text()

    assert not re.search(r"\sstyle=|<style|javascript:", source)
    assert not re.search(r"\son[a-z]+=", source)
    assert [s for s in re.findall(r"<script[^>]*>", source) if "src=" not in s] == []
    # One line only: Django shows a {# comment #} that is broken over lines to the reader.
    assert source.count("{#") == len(re.findall(r"{#.*?#}", source))


@pytest.mark.parametrize("name", ["400.html", "403.html", "404.html", "500.html"])
def test_error_pages_need_no_request_and_no_context(name: str) -> None:
    html = render_to_string(name)

    assert "<h1>" in html
    assert "Hosting portal" in html


@pytest.mark.parametrize("layout", ["customer/layout.html", "staff/layout.html", "bare.html"])
def test_the_layouts_hold_when_nobody_acts_for_anybody(layout: str) -> None:
    request = RequestFactory().get("/")
    request.access = None  # type: ignore[attr-defined]

    assert "Hosting portal" in render_to_string(layout, {}, request)


def test_names_are_escaped_wherever_the_layouts_show_them(world: World) -> None:
    script = "<script>x</script>"
    client = world.north.clients[0]

    for layout, person in (
        ("customer/layout.html", client.owner),
        ("staff/layout.html", world.north.owner),
        ("bare.html", world.north.owner),
    ):
        access = person.access
        access.provider.name = person.user.name = script
        if access.customer:
            access.customer.name = script
        request = RequestFactory().get("/")
        request.access = access  # type: ignore[attr-defined]
        with tenancy.access_context(access):
            html = render_to_string(layout, {}, request)

        assert "&lt;script&gt;x" in html
        assert script not in html


@pytest.mark.parametrize(
    ("path", "href", "current"),
    [
        ("/staff/customers/", "/staff/customers/", "page"),
        ("/staff/customers/cus_1/", "/staff/customers/", "true"),
        ("/staff/customers/", "/staff/", None),
        ("/rewards/", "/", None),
        ("/", "/", "page"),
    ],
)
def test_the_menu_marks_the_place_where_one_is(path: str, href: str, current: str | None) -> None:
    mark = page._current(RequestFactory().get(path), href, exact=href in {"/", "/staff/"})

    assert mark == (f' aria-current="{current}"' if current else "")


def test_the_menu_leaves_out_pages_that_do_not_exist() -> None:
    assert page.nav_item(Context({}), "no:such-page", "doc", "Documents") == ""


class Opening(forms.Form):
    default_renderer = PortalRenderer()

    name = forms.CharField(help_text="As it stands on <b>statements</b>.")
    note = forms.CharField(required=False)
    adopt = forms.BooleanField(label="The account exists")
    basis = forms.ChoiceField(choices=[("net", "Net"), ("gross", "Gross")], widget=forms.RadioSelect)
    code = forms.CharField(widget=forms.HiddenInput, initial="cus_1")

    def clean(self) -> None:
        raise forms.ValidationError("The pool has no account <b>x</b>.")


def test_a_field_has_its_label_above_its_hint_below_and_says_what_is_optional() -> None:
    html = str(Opening())

    assert html.index('<label for="id_name">') < html.index('id="id_name"') < html.index('id="id_name_helptext"')
    assert 'aria-describedby="id_name_helptext"' in html
    assert html.count("(optional)") == 1
    assert re.search(r'<label class="check"><input type="checkbox"[^>]*>The account exists</label>', html)
    assert re.search(r"<fieldset[^>]*>\s*<legend>Basis</legend>", html)
    assert '<input type="hidden" name="code" value="cus_1"' in html


def test_an_error_stands_last_in_words_and_is_tied_to_its_field() -> None:
    html = str(Opening({"name": ""}))

    assert 'aria-invalid="true"' in html
    assert 'aria-describedby="id_name_helptext id_name_error"' in html
    assert '<p class="field__error" id="id_name_error">This field is required.</p>' in html
    assert html.index('id="id_name_helptext"') < html.index('id="id_name_error"')
    assert 'role="alert"' in html
    assert "The pool has no account &lt;b&gt;x&lt;/b&gt;." in html


def test_every_changing_form_carries_the_membership_it_was_made_for() -> None:
    request = RequestFactory().get("/")
    request.access = SimpleNamespace(membership=SimpleNamespace(code="mem_1"))  # type: ignore[attr-defined]

    html = render_to_string("forms/_guard.html", {}, request)

    assert "csrfmiddlewaretoken" in html
    assert re.search(r'<input type="hidden"\s+name="acting_as"\s+value="mem_1">', html)


def test_the_next_page_keeps_the_filters() -> None:
    request = RequestFactory().get("/staff/rewards/?status=pending&after=old")

    html = render_to_string("_pager.html", {"after": "new", "shown": 50}, request)

    assert 'href="?status=pending&amp;after=new"' in html
    assert 'href="?status=pending"' in html
    assert render_to_string("_pager.html", {"after": None}, RequestFactory().get("/")).strip() == ""


def test_icons_come_from_our_own_file_and_each_one_used_is_drawn() -> None:
    drawn = set(
        re.findall(r'symbol id="i-([a-z]+)"', (TEMPLATES.parent / "portal/static/portal/icons.svg").read_text())
    )
    sources = [(TEMPLATES / name).read_text() for name in EVERY_TEMPLATE]
    used = {name for source in sources for name in re.findall(r'{% icon "([a-z]+)"', source)}
    used |= {name for source in sources for name in re.findall(r'{% nav_item "[^"]+" "([a-z]+)"', source)}

    assert used - drawn == set()
    assert Template('{% load page %}{% icon "doc" %}').render(Context()) == page.icon("doc")
    assert 'href="/static/portal/icons.svg#i-doc"' in page.icon("doc")
